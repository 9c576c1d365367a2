const entries = performance.getEntriesByType("resource");
const page = performance.getEntriesByType("navigation")[0];
const early = entries.filter((entry) => entry.startTime < page.responseStart).length;
document.getElementById("how").textContent =
  `${entries.length} files, ${early} requested before the page's first byte, over ${page.nextHopProtocol}.`;
