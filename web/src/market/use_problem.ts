import { computed, ref, type Ref } from "vue";

import { duration } from "../duration";

const MINUTE_MS = 60_000;

export interface Problem {
  /** All that is wrong, in words; empty where nothing is. */
  readonly text: Readonly<Ref<string>>;
  /** Why the server has no new bars; null where it has some. */
  standsStill(reason: string | null): void;
  /** The server refused what it was asked for. */
  refused(reason: string): void;
  /** The server sent what is not in the protocol. */
  notUnderstood(error: Error): void;
  /** History has answered; the problem is empty where it did so well. */
  historyAnswered(problem: string): void;
  /** The series is told, or another one is asked for: what was wrong with the answers is over. */
  answersForgotten(): void;
}

/**
 * What is wrong, as one text for whoever looks.
 *
 * @param unmet in words, what is wanted and cannot be shown
 * @param barLagMs how far bars are behind the trades
 */
export function useProblem(unmet: () => string, barLagMs: Readonly<Ref<number | null>>): Problem {
  const standstill = ref<string | null>(null);
  const refusal = ref("");
  const history = ref("");

  const text = computed(() =>
    [
      unmet(),
      standstill.value && `No new bars come: ${standstill.value}.`,
      barLagMs.value !== null && `Bars are ${inMinutes(barLagMs.value)} behind the trades.`,
      refusal.value,
      history.value && `Older bars could not be loaded: ${history.value}.`,
    ]
      .filter(Boolean)
      .join(" "),
  );

  return {
    text,
    standsStill(reason) {
      standstill.value = reason;
    },
    refused(reason) {
      refusal.value = reason;
    },
    notUnderstood(error) {
      refusal.value = `The server sent what this page does not understand: ${error.message}`;
    },
    historyAnswered(problem) {
      history.value = problem;
    },
    answersForgotten() {
      refusal.value = "";
      history.value = "";
    },
  };
}

/** Seconds would change with each look, and what changes in a problem is read aloud again. */
function inMinutes(ms: number): string {
  return ms < MINUTE_MS ? "less than 1 min" : duration(ms);
}
