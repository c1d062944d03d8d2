// Times as people say them.
import { html, useEffect, useState } from "./vendor/preact.js";
import { serverNow } from "./clock.js";
import { Store, useStore } from "./store.js";

const clock = new Store(Date.now());
let users = 0, timer;

// The server's time in ms, once a second, for all who show it together.
export function useNow() {
	useEffect(() => {
		if (!users++)
			timer = setInterval(() => clock.set(Date.now()), 1000);
		return () => { if (!--users) clearInterval(timer); };
	}, []);
	useStore(clock);
	return serverNow();
}

export const ms = at => at ? Date.parse(at) : null;

// "4 s", "12:05", "3 h 20 min", "2 d 4 h"
export function span(seconds) {
	const s = Math.max(0, Math.round(seconds));
	if (s < 60)
		return `${s} s`;
	if (s < 3600)
		return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
	if (s < 86400)
		return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
	return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

// "150 s", "5 min", "2 h": a setting
export function duration(seconds) {
	if (seconds >= 3600 && seconds % 3600 === 0)
		return `${seconds / 3600} h`;
	if (seconds >= 120 && seconds % 60 === 0)
		return `${seconds / 60} min`;
	return `${+seconds.toFixed(1)} s`;
}

export const ago = (at, now) => at ? `${span((now - ms(at)) / 1000)} ago` : "never";

const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }, day = { month: "short", day: "2-digit" };
const sameDay = new Intl.DateTimeFormat(undefined, time), sameYear = new Intl.DateTimeFormat(undefined, { ...day, ...time });
const otherYear = new Intl.DateTimeFormat(undefined, { year: "numeric", ...day, ...time });

// Of the viewer's own zone; the exact UTC text belongs into a title.
export function clockTime(at) {
	if (!at)
		return "";
	const then = new Date(at), now = new Date(serverNow());
	return (then.toDateString() === now.toDateString() ? sameDay : then.getFullYear() === now.getFullYear() ? sameYear : otherYear).format(then);
}

const STEP = 15000;	// minutes need no second hand

// "12 min ago", its exact time in the title.
export function Ago({ at }) {
	const [, again] = useState(0);
	useEffect(() => {
		const timer = setInterval(() => again(n => n + 1), STEP);
		return () => clearInterval(timer);
	}, []);
	const s = (serverNow() - ms(at)) / 1000;
	const said = s < 60 ? "just now" : s < 3600 ? `${Math.floor(s / 60)} min ago` : s < 86400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} d ago`;
	return html`<time datetime=${at} title=${`${clockTime(at)}, ${at}`}>${said}</time>`;
}

// The value, once it stayed the same for so long.
export function useSettled(value, wait) {
	const [settled, set] = useState(value);
	useEffect(() => {
		const timer = setTimeout(() => set(value), wait);
		return () => clearTimeout(timer);
	}, [value, wait]);
	return settled;
}
