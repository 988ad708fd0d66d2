// Requests of an image, with calls of librbd that the test answers. Not tested here: librbd itself (test/e2e-engines/rbd-volume.test.ts).

import { expect, it, onTestFinished, vi } from 'vitest';
import type { CephCluster } from '../../src/backstore/ceph-cluster.ts';
import { RbdImage } from '../../src/backstore/rbd-image.ts';
import { needs } from '../support/needs.ts';

/** Completions as malloc gives them: the address of one that was released is that of the next one. */
class Completions {
  readonly #free = [0x3000, 0x2000, 0x1000];
  /** The state of those in use: their results, once they have ended. */
  readonly results = new Map<number, number | undefined>();
  /** Completions that librbd tells of at the next poll. */
  readonly told: number[] = [];
  isFreed = false;

  readonly rbd = {
    completion: call((_callback: number, _argument: number, place: Uint32Array) => {
      const address = this.#free.pop()!;
      this.results.set(address, undefined);
      place.set([address, 0]);
      return 0;
    }),
    release: call((completion: number) => {
      this.results.delete(completion);
      this.#free.push(completion);
    }),
    isComplete: call((completion: number) => (this.results.get(completion) === undefined ? 0 : 1)),
    result: call((completion: number) => this.results.get(completion) ?? 0),
    poll: call((_image: number, places: Uint32Array) => {
      if (this.isFreed) throw new Error('the image is freed');
      const told = this.told.splice(0);
      for (const [at, completion] of told.entries()) places.set([completion, 0], 2 * at);
      return told.length;
    }),
    open: call((_pool: number, _name: string, _place: number, _snapshot: number, completion: number) =>
      this.#done(completion),
    ),
    close: call((_image: number, completion: number) => {
      this.isFreed = true;
      return this.#done(completion);
    }),
    write: call(() => 0),
    read: call(() => 0),
  };

  #done(completion: number): number {
    this.results.set(completion, 0);
    return 0;
  }
}

function call<W extends readonly never[], R>(now: (...words: W) => R) {
  return { now };
}

/** An image whose look for ended requests comes when the test says so. */
async function opened() {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const completions = new Completions();
  const cluster = { rbd: completions.rbd, call: async () => 0 } as unknown as CephCluster;
  const image = await RbdImage.open(cluster, 0, 'disk');
  return { completions, image };
}

it(
  'a request that a look finds ended before librbd tells of it gives its place to no other: the word that comes later ends none in its stead',
  needs('koffi'),
  async () => {
    const { completions, image } = await opened();
    const block = new Uint8Array(512);

    const first = image.write(block, 0);
    const [one] = completions.results.keys();
    completions.results.set(one!, 0);
    vi.advanceTimersByTime(1000);
    await first;

    let hasEnded = false;
    const second = image.write(block, 512).then(() => {
      hasEnded = true;
    });
    completions.told.push(one!);
    vi.advanceTimersByTime(1000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasEnded).toBe(false);

    for (const [completion, result] of completions.results) {
      if (result === undefined) completions.told.push(completion);
      completions.results.set(completion, 0);
    }
    vi.advanceTimersByTime(1000);
    await second;
    await image.close();
    expect(completions.results.size).toBe(0);
  },
);

it(
  'an image that librbd may have freed is asked for nothing: the look for ended requests ends when the image begins to close',
  needs('koffi'),
  async () => {
    const { completions, image } = await opened();
    const closing = image.close();
    expect(completions.isFreed).toBe(true);
    vi.advanceTimersByTime(1000);
    await closing;
  },
);
