// One file on its way to our own route: sent again where the server is restarted or busy, until a process has taken it.

const FILE_MS = 180_000; // from the first attempt to the last

// Send a file; returns the answer of the route, or throws why it was not added. `progress` is called with the bytes of
// the file that are sent.
async function sendFile(item, progress) {
  const { connection } = store;
  const retry = new Retry(connection);
  const end = performance.now() + FILE_MS;
  try {
    for (;;) {
      const { token } = connection;
      const { status, text } = await sendOnce(item, progress);
      // one that was taken before its answer was lost is in the worklist, and is no duplicate
      if (status === 200) return { ...JSON.parse(text), ...(retry.delay && { duplicates: 0 }) };
      connection.note(token, status, text);
      if (isEnded(status)) await connection.usable(token);
      else if (!isPassing(status) || status === 500 || performance.now() > end) throw new Error(reason(status, text));
      else if (status === 0 && !(await isReadable(item.file))) throw new Error("cannot be read on this computer.");
      else await retry.pause(status);
      progress(0);
    }
  } finally {
    progress(item.file.size);
    retry.end();
  }
}

// Status 0 is no answer.
function sendOnce({ file, name, upload, position, count }, progress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${store.connection.path}/images`);
    request.setRequestHeader("X-Second-Read-Token", store.connection.token);
    request.setRequestHeader("X-Second-Read-Name", encodeURIComponent(name.slice(-300)));
    request.setRequestHeader("X-Second-Read-Upload", `${upload}/${position}/${count}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => progress(Math.min(event.loaded, file.size));
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () => resolve({ status: 0, text: "" });
    request.send(file);
  });
}

// A file that has changed on the disk, or a folder, cannot be sent either.
function isReadable(file) { return file.slice(0, 1).arrayBuffer().then(() => true, () => false); }

function reason(status, text) {
  if (text && text.length <= 300 && !text.startsWith("<")) return text;
  return status ? `The server answered ${status}. Add the file again.` : "could not be sent: the server does not answer. Add the file again.";
}
