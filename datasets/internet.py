"""Find out within a fixed time whether a web address answers."""

import queue
import threading
import urllib.error
import urllib.parse
import urllib.request


def why_unreachable(url: str, deadline: float = 6.0) -> str | None:
    """Ask for the head of `url`.

    The request runs in a daemon thread that is left behind when time is up: a name server that
    never answers blocks inside the system's resolver, where no timeout of Python's reaches.

    Parameters
    ----------
    url : str
        An http, https or file address.
    deadline : float
        Seconds after which to give up, whatever the request hangs on.

    Returns
    -------
    str or None
        None where the address answers, else one line that says why not.
    """
    host = urllib.parse.urlsplit(url).hostname or url
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "topometrics"})
        try:
            urllib.request.urlopen(request, timeout=deadline).close()
        except urllib.error.HTTPError as error:
            answers.put(f"{host} answered {error.code}")
        except Exception as error:  # whatever it is, the address cannot be read
            reason = str(getattr(error, "reason", None) or error) or type(error).__name__
            answers.put(f"{host} cannot be reached: {reason.splitlines()[0]}")
        else:
            answers.put(None)

    threading.Thread(target=ask, daemon=True, name=f"ask {host}").start()
    try:
        return answers.get(timeout=deadline)
    except queue.Empty:
        return f"{host} did not answer within {deadline:g} s"
