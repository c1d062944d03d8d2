import { html } from "./vendor/preact.js";
export const Trace = () => html`<h1>Trace</h1>`;
