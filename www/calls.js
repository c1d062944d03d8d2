import { html } from "./vendor/preact.js";
export const Calls = () => html`<h1>Calls</h1>`;
