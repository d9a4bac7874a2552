// Takes JSON and gives JSON. What it throws is why the link fails.
export function call(input) {
  const { name } = JSON.parse(input);
  if (name === "") {
    throw "there is nobody to greet";
  }
  return JSON.stringify({ greeting: `hello ${name}` });
}
