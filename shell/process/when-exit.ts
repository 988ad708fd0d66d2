/**
 * In the place of the package when-exit, which conf's writer removes its temporary files by (build.mjs puts it there): the
 * package also takes every signal, and kills the process with it, however its owner wanted to end.
 */

export default (callback: () => void): (() => void) => {
  process.once('exit', callback);
  return () => void process.off('exit', callback);
};
