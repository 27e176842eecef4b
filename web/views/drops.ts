// Files dropped anywhere on the page.

/** `onFile` gets the first file of a drop. */
export function setUpDrops(onFile: (file: File) => void): void {
  const shade = document.getElementById("drop")!;
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  let depth = 0;
  const show = () => shade.classList.toggle("over", depth > 0);
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth++;
    show();
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    show();
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show();
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  });
}
