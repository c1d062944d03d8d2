import { html } from "./vendor/preact.js";
export const History = () => html`<h1>History</h1>`;
