import { onScopeDispose, shallowRef, watch, type Ref } from "vue";

/** The page is drawn anew at most this often: a busy market says more than an eye can see. */
const FRAME_MS = 40;

/**
 * Have something drawn a frame after it is asked for, once for all who ask until then. It goes by a timer alone: the
 * viewer's clock may be set back.
 */
export function useFrame(draw: () => void): () => void {
  let next: ReturnType<typeof setTimeout> | undefined;
  onScopeDispose(() => {
    clearTimeout(next);
  });
  return () => {
    next ??= setTimeout(() => {
      next = undefined;
      draw();
    }, FRAME_MS);
  };
}

/** What a ref holds, as it was at the last frame. */
export function refByFrame<T>(source: Readonly<Ref<T>>): Readonly<Ref<T>> {
  const shown = shallowRef(source.value);
  const draw = useFrame(() => {
    shown.value = source.value;
  });
  watch(source, draw, { flush: "sync" });
  return shown;
}
