// Cores that never halt, as on a machine that has other work or polls when idle. A halted virtual core takes longer to
// wake than a small command takes, which is then most of what is measured.

import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';

/** A loop for each core, at SCHED_IDLE: it runs when nothing else would. @returns what ends them */
export function keepAwake(): () => void {
  const loops = cpus().map(
    (_, core): ChildProcess =>
      spawn('taskset', ['-c', String(core), 'chrt', '--idle', '0', process.execPath, '-e', 'for (;;);'], {
        stdio: 'inherit',
      }).on('error', (error) => console.error(`a core is not kept awake: ${error.message}`)),
  );
  return () => {
    for (const loop of loops) loop.kill();
  };
}
