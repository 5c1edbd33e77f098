/// <reference types="vite/client" />

/** For the linter, which does not read `.vue` files; vue-tsc checks the real types. */
declare module "*.vue" {
  import type { Component } from "vue";

  const component: Component;
  export default component;
}
