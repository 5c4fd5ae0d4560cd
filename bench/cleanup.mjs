/** What has to be undone, whatever happens: the last thing made is the first to go. */
const undo = [];

/** Have `task` run by the next `cleanUp`. */
export function onCleanUp(task) {
  undo.push(task);
}

/** Undo everything; a step that fails does not keep the others from running. */
export async function cleanUp() {
  while (undo.length > 0) {
    try {
      await undo.pop()();
    } catch (error) {
      console.error(`bench: cleaning up: ${error.message}`);
    }
  }
}
