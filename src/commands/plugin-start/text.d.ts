/** Texts that the executable carries: importing one `with { type: "text" }` gives its content. */
declare module "*.txt" {
  const text: string;
  export default text;
}
