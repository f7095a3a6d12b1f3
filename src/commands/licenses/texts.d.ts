/** Licences that the executable contains: importing one `with { type: "text" }` gives its text. */
declare module "*/LICENSE" {
  const text: string;
  export default text;
}
declare module "*/NOTICE" {
  const text: string;
  export default text;
}
