// Before anything is drawn: the colours that were chosen, so that nothing flashes. No module, so that it waits for none.
try {
  const name = localStorage.getItem("dc-theme");
  if (name === "light" || name === "dark") document.documentElement.dataset.theme = name;
} catch {
  // a browser may refuse to keep anything: the colours are the system's then
}
