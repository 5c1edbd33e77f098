import { computed, type Ref } from "vue";

import type { Market } from "./use_market";

/** The instruments of the venue that is looked at, by name. */
export function useInstruments({
  listing,
  selection,
}: Pick<Market, "listing" | "selection">): Readonly<Ref<readonly string[]>> {
  return computed(() =>
    (listing.value?.instruments ?? [])
      .filter(({ venue }) => venue === selection.value?.venue)
      .map(({ instrument }) => instrument),
  );
}
