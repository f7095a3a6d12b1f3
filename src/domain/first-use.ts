/**
 * Lazy initialisation: what is costly and not always needed is created at its first use, so that a gateway starts fast.
 */
export function onFirstUse<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
