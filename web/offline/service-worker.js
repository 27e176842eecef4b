// The page without a network: every file of a build, kept under its own hash, so that a new build fetches what changed.
// The build puts its list of files in place of the line below.
const FILES = {};

const CACHE = "stillwave";
const keyOf = (file) => new URL(`${file}?kept=${FILES[file]}`, self.registration.scope).href;

async function install() {
  const cache = await caches.open(CACHE);
  for (const file of Object.keys(FILES)) {
    if (await cache.match(keyOf(file))) continue;
    const response = await fetch(new URL(file, self.registration.scope), { cache: "no-cache" });
    if (!response.ok) throw new Error(`${file}: the server answers ${response.status}`);
    await cache.put(keyOf(file), response);
  }
  await self.skipWaiting();
}

async function activate() {
  const cache = await caches.open(CACHE);
  const wanted = new Set(Object.keys(FILES).map(keyOf));
  for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
  await self.clients.claim();
}

/** The kept copy, headers included: a page that was isolated stays so. What is not kept (WebGPU's engine) comes from the network. */
async function answer(request, file) {
  const kept = await (await caches.open(CACHE)).match(keyOf(file));
  return kept ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const file = request.url.slice(self.registration.scope.length).replace(/[?#].*$/, "") || "index.html";
  if (file in FILES) event.respondWith(answer(request, file));
});
