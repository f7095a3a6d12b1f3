/**
 * Files imported `with { type: "file" }`: the import gives the file's path; in the executable, the path inside it.
 * Another kind of asset is another declaration here.
 */
declare module "*.bin" {
  const path: string;
  export default path;
}
declare module "*.wasm" {
  const path: string;
  export default path;
}
declare module "*.so" {
  const path: string;
  export default path;
}
