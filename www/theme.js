// Light, dark, or as the system has it; remembered by this browser.
import { Store } from "./store.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
export const theme = new Store(localStorage.getItem("theme") || "auto");

function show() {
	document.documentElement.dataset.theme = theme.value === "auto" ? dark.matches ? "dark" : "light" : theme.value;
}

export function choose(value) {
	localStorage.setItem("theme", value);
	theme.set(value);
	show();
}

dark.addEventListener("change", show);
show();
