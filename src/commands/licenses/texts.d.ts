/** Licences that the executable carries: importing one `with { type: "text" }` gives its text. */
declare module "*/LICENSE" {
  const text: string;
  export default text;
}
declare module "*/NOTICE" {
  const text: string;
  export default text;
}
