import { html } from "./vendor/preact.js";
export const GatewayNow = () => null;
export const GatewayTools = () => null;
