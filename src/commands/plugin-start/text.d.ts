/** Texts that the executable contains: importing one `with { type: "text" }` gives its content. */
declare module "*.txt" {
  const text: string;
  export default text;
}
