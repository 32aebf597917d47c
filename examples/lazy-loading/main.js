const output = document.querySelector("output");

document.querySelector("button").addEventListener("click", async () => {
  // Nothing of Heed is in the page's first files: the bundler makes a file of its own of this import, and
  // Heed imports the one backend that it ends up with.
  const { attend } = await import("./attend.js");
  output.textContent = await attend();
});
