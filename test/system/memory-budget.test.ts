// The budget for what others can make this process keep. It does not test who has an account.

import { expect, it } from 'vitest';
import { MemoryBudget } from '../../src/system/memory-budget.ts';

const greedy = (budget: MemoryBudget, bytes: number) => {
  const account = budget.account(1000);
  while (account.take(bytes));
  return account;
};

it('an account that keeps all it can get leaves as much for the next one', () => {
  const budget = new MemoryBudget(1024);
  const hogs = Array.from({ length: 7 }, () => greedy(budget, 8));
  expect(hogs[0]!.held).toBe(512);
  expect(budget.held).toBeLessThanOrEqual(1024);
  expect(budget.account(1000).take(8)).toBe(true);
});

it('an account has no more than its own limit, but for a single piece that is longer', () => {
  const budget = new MemoryBudget(1 << 20);
  const [one, other] = [budget.account(100), budget.account(100)];
  expect([one.take(60), one.take(60), other.take(300), other.take(1)]).toEqual([true, false, true, false]);
});

it('an account that has nothing gets something as soon as there is room, before those that have', () => {
  const budget = new MemoryBudget(100);
  const [rich, poor] = [budget.account(100), budget.account(100)];
  const started: string[] = [];
  expect([rich.take(50), rich.take(10)]).toEqual([true, false]);
  rich.whenTaken(10, () => started.push('rich'));
  poor.whenTaken(95, () => started.push('poor'));
  expect(rich.take(1)).toBe(false);
  rich.giveBack(50);
  expect(started).toEqual(['rich']);
  rich.giveBack(10);
  expect([started, budget.held]).toEqual([['rich', 'poor'], 95]);
});

it('where nobody has anything, any length fits; who is gone waits for nothing', () => {
  const budget = new MemoryBudget(100);
  const [long, gone] = [budget.account(100), budget.account(100)];
  expect(long.take(5000)).toBe(true);
  gone.whenTaken(1, () => expect.unreachable());
  gone.close();
  long.giveBack(5000);
  expect(budget.held).toBe(0);
});
