// Draws the diagrams with the copy of Mermaid that `make docs` puts beside this file; no other host is asked.
// Without that copy (no Node when the pages were built) a diagram stays what it is in the source: its text.
addEventListener("DOMContentLoaded", async () => {
  if (typeof mermaid === "undefined") return
  mermaid.initialize({ startOnLoad: false, theme: "neutral", securityLevel: "strict",
    flowchart: { useMaxWidth: false }, state: { useMaxWidth: false } })
  await mermaid.run({ querySelector: ".diagram" })
})
