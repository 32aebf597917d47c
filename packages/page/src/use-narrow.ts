import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const query = "(max-width: 640px)";

/** Whether the page is as narrow as a phone, now and after it has changed. */
export function useNarrow(): boolean {
  const narrow = useSignal(matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const listen = () => {
      narrow.value = media.matches;
    };
    media.addEventListener("change", listen);
    return () => media.removeEventListener("change", listen);
  }, [narrow]);
  return narrow.value;
}
