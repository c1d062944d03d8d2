// The HTTP API.  Nothing else in the panel calls fetch().
import { hearDate, serverNow } from "./clock.js";
import { Store } from "./store.js";

const BASE = "/api/v1";

// null = not known yet; {role: null} = nobody is logged in; else the answer of GET /session.
export const session = new Store(null);
// "ok", "lost": does mgmtd answer?  since: when it was lost, in ms
export const connection = new Store({ state: "ok", since: null });

class Problem extends Error {
	constructor(status, document, etag) {
		super(document.detail || document.title || `status ${status}`);
		Object.assign(this, { status, title: document.title, code: (document.type || "").replace("/problems/", ""), errors: document.errors || [],
		                      request: document.request_id, etag });
	}
}

export function heard(state) {
	if (connection.value.state !== state)
		connection.set({ state, since: state === "lost" ? serverNow() : null });
}

function address(path, query) {
	const given = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
	return BASE + path + (given.length ? `?${new URLSearchParams(given)}` : "");
}

// A path of names: path("registrations", name, "status")
export const path = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;

async function problem(response) {
	const document = await response.json().catch(() => ({ title: response.statusText }));
	const found = new Problem(response.status, document, response.headers.get("ETag"));
	if (response.status === 401 && session.value?.role)
		session.set({ role: null, expired: true, username: session.value.username });
	if (found.code === "password_change_required" && session.value?.role)
		session.set({ ...session.value, must_change_password: true });
	return found;
}

// A log-in in another tab brings another token.  True: the same person's request may be asked again with it.
async function renewed(refused) {
	const before = session.value;
	if (!before?.role || refused.code !== "csrf_token_required")
		return false;
	const now = await get("/session").catch(() => null);	// one that has ended is known by its 401
	if (!now)
		return false;
	session.set(now);
	return now.username === before.username && now.csrf_token !== before.csrf_token;
}

// {status, data, etag}; throws Problem, also when nobody answers (status 0).
export async function call(method, where, { query, body, ifMatch, accept, patch, signal } = {}) {
	const headers = { Accept: accept || "application/json" };
	if (body !== undefined)
		headers["Content-Type"] = patch ? "application/merge-patch+json" : "application/json";
	if (ifMatch)
		headers["If-Match"] = ifMatch;
	if (method !== "GET" && session.value?.csrf_token)
		headers["X-CSRF-Token"] = session.value.csrf_token;
	const asked = Date.now();
	let response;
	try {
		response = await fetch(address(where, query), { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
	} catch (error) {
		if (error.name !== "AbortError")
			heard("lost");
		throw new Problem(0, { detail: error.name === "AbortError" ? "given up" : "The server does not answer." });
	}
	heard("ok");
	hearDate(response.headers.get("Date"), asked, Date.now());
	if (!response.ok) {
		const refused = await problem(response);
		if (await renewed(refused))
			return call(method, where, { query, body, ifMatch, accept, patch, signal });
		throw refused;
	}
	const data = response.status === 204 ? null : accept ? await response.blob() : await response.json();
	return { status: response.status, data, etag: response.headers.get("ETag") };
}

export const get = async (where, query) => (await call("GET", where, { query })).data;

// All items of a list, page by page; `page` (if given) sees each page when it comes.
export async function all(where, query, page) {
	const items = [];
	let cursor;
	do {
		const answer = await get(where, { limit: 1000, ...query, cursor });
		items.push(...answer.items);
		page?.(answer.items, items);
		cursor = answer.next;
	} while (cursor);
	return items;
}

// A change-set, or as a rehearsal: what it would do.
export const change = (set, { dryRun, comment } = {}) =>
	call("POST", "/changes", { body: comment ? { ...set, comment } : set, query: dryRun ? { dry_run: true } : { wait: "applied" } });

// ------------------------------------------------------------------ who is there

const ranks = ["viewer", "operator", "admin"];
export const may = role => ranks.indexOf(session.value?.role) >= ranks.indexOf(role) && !session.value?.must_change_password;

// The cookie is not for us to see; this says whether there may be one, so that a stranger's first request is not a refused one.
const CAME = "tandem-came";

export const mayHaveCome = () => localStorage.getItem(CAME) !== null;

export async function resume() {
	if (!mayHaveCome()) {
		session.set({ role: null });
		return;
	}
	try {
		session.set(await get("/session"));
	} catch (error) {
		session.set({ role: null, unreachable: error.status !== 401 });
	}
}

export async function logIn(username, password) {
	session.set((await call("POST", "/session", { body: { username, password } })).data);
	localStorage.setItem(CAME, "1");
}

export async function logOut() {
	await call("DELETE", "/session").catch(() => {});
	localStorage.removeItem(CAME);
	session.set({ role: null });
}

export async function changePassword(current, next) {
	await call("PUT", "/session/password", { body: { current, new: next } });
	await resume();
}

export function save(blob, filename) {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(blob);
	link.download = filename;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export async function download(where, query, accept, filename) {
	save((await call("GET", where, { query, accept })).data, filename);
}
