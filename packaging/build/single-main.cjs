/**
 * What the single-file program begins with. The program's own files are in it: they are unpacked once, into a folder that only
 * this user can write, and are checked against their hashes whenever they are used. Then it is Node that runs them; its threads
 * and the processes that it starts (`daemon start`, block devices) find their files there, too.
 */

const { createHash } = require('node:crypto');
const {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { homedir } = require('node:os');
const { dirname, join } = require('node:path');
const { createRequire } = require('node:module');
const { getAsset } = require('node:sea');

// As shell/bin/tcli has it. Nothing has used the thread pool yet.
process.env.UV_THREADPOOL_SIZE ??= '16';
process.env.NODE_ENV = 'production';

/** Path → [offset, length, sha256]. */
const files = JSON.parse(getAsset('index', 'utf8'));
const name = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 32);

function fail(text, hint) {
  process.stderr.write(`tcli: ${text}\n${hint}\n`);
  process.exit(1);
}

/** Where this user's copy is. */
function place() {
  if (process.env.TCLI_UNPACK) return process.env.TCLI_UNPACK;
  if (process.getuid() === 0) return '/var/cache/tcli';
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tcli');
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Whether the copy is as it was unpacked, file by file. */
function isWhole(folder) {
  try {
    return Object.entries(files).every(([path, [, , hash]]) => sha256(readFileSync(join(folder, path))) === hash);
  } catch {
    return false;
  }
}

function unpack(folder) {
  const above = dirname(folder);
  mkdirSync(above, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(above);
  if (uid !== process.getuid() || (mode & 0o022) !== 0)
    fail(`${above} can be written by others`, 'Choose a place of your own: TCLI_UNPACK=DIR');
  const all = Buffer.from(getAsset('files'));
  const fresh = mkdtempSync(join(above, '.new-'));
  for (const [path, [offset, length]] of Object.entries(files)) {
    mkdirSync(dirname(join(fresh, path)), { recursive: true });
    writeFileSync(join(fresh, path), all.subarray(offset, offset + length));
  }
  chmodSync(join(fresh, 'shell/bin/tcli'), 0o755);
  // One that was altered goes; of two processes that unpack at once, either one's copy is right.
  rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!isWhole(folder)) throw error;
  }
}

const folder = join(place(), name);
try {
  if (!isWhole(folder)) unpack(folder);
} catch (error) {
  fail(`its files cannot be unpacked into ${folder}: ${error.message}`, 'Choose another place: TCLI_UNPACK=DIR');
}
try {
  // A library cannot be loaded from where nothing can be executed.
  accessSync(join(folder, 'shell/bin/tcli'), constants.X_OK);
} catch {
  fail(
    `${place()} is on a file system that is mounted noexec, from which its native parts cannot be loaded`,
    'Choose another place: TCLI_UNPACK=DIR',
  );
}

// Whoever starts one of its programs says which: process.execPath FILE WORDS…
const words = process.argv.slice(2);
const own = words.findIndex((word) => !word.startsWith('-'));
const isOwn = own >= 0 && words[own].startsWith(join(folder, 'dist/'));
const program = isOwn ? words[own] : join(folder, 'dist/tcli.js');
process.argv = [process.execPath, program, ...(isOwn ? words.slice(own + 1) : words)];
process.execArgv = [];
// What import() may load is up to the file that says it; this one is none.
createRequire(program)(join(folder, 'start.cjs'));
