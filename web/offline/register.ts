// Keeps the published page for times without a network.

/** Asks the service worker to store everything; the development server has none. */
export function keepOffline(): void {
  if (import.meta.env.MODE !== "production" || !("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI)).catch(() => {
    // a page without storage works, with a network
  });
}
