import { html } from "./vendor/preact.js";
export const Gateways = () => html`<h1>Gateways</h1>`;
