import { expect, it } from "vitest";
import { ref } from "vue";

import { useProblem } from "../src/market/use_problem";

it("says all that is wrong at once, and what stays wrong once answers are forgotten", () => {
  const barLagMs = ref<number | null>(180_000);
  const problem = useProblem(() => "There is no interval 7m: this is 1m.", barLagMs);
  problem.standsStill("Kafka is away");
  problem.refused("too many subscriptions");
  problem.historyAnswered("the API answered 503");
  const lasting =
    "There is no interval 7m: this is 1m. No new bars come: Kafka is away. Bars are 3 min behind the trades.";
  expect(problem.text.value).toBe(
    `${lasting} too many subscriptions Older bars could not be loaded: the API answered 503.`,
  );
  problem.answersForgotten();
  expect(problem.text.value).toBe(lasting);
});
