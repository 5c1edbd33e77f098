import { useIntervalFn } from "@vueuse/core";
import { readonly, ref, watch, type Ref } from "vue";

import type { ConnectionState } from "../feed/connection";
import type { Bar, Trade } from "../feed/protocol";
import { BarLag, LOOK_MS } from "./bar_lag";

export interface BarLagWatch {
  /** How far bars are behind the trades, in milliseconds; null where they are not, or it is not known. */
  readonly barLagMs: Readonly<Ref<number | null>>;
  /** Bars are of another series from now on, trades of the same instrument. */
  seriesLeft(): void;
  /** Trades are of another instrument from now on, too. */
  forget(): void;
}

/** Looks each second, while connected, whether bars come behind the trades. */
export function useBarLag(
  connection: Readonly<Ref<ConnectionState>>,
  tape: Readonly<Ref<readonly Trade[]>>,
  newest: () => Bar | undefined,
): BarLagWatch {
  const lag = new BarLag();
  const barLagMs = ref<number | null>(null);
  const { pause, resume } = useIntervalFn(
    () => {
      barLagMs.value = lag.look(tape.value, newest());
    },
    LOOK_MS,
    { immediate: false },
  );

  function seriesLeft(): void {
    barLagMs.value = null;
  }

  function forget(): void {
    lag.forget();
    seriesLeft();
  }

  watch(
    connection,
    (state) => {
      forget();
      if (state === "open") resume();
      else pause();
    },
    { flush: "sync" },
  );
  return { barLagMs: readonly(barLagMs), seriesLeft, forget };
}
