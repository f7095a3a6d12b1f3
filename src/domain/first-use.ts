/**
 * What is costly to make and not always needed, made for the first who asks: a gateway starts without what no request has asked for yet.
 */
export function onFirstUse<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
