"""The controller: one thread that carries every rollout on and writes its progress into the objects' status.

A change is seen a moment late, so that a status still speaks of the specification before, as on a real cluster; then
pods change over a few seconds. What changes how is :mod:`sandbox.cluster.course`.
"""

import threading
import time
from datetime import timedelta
from typing import Final

from sandbox.cluster import ownership
from sandbox.cluster.course import Course, annotations_of, looked, moved, settled, status_of
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.store import Key, Store

_STEP_SECONDS: Final = 0.02


class Controller:
    """Carries the rollouts of one store on.

    Args:
        store: Where the workloads are.
        lag: How long a change stays unseen.
        duration: How long a rollout takes from then on.
    """

    def __init__(self, store: Store, *, lag: timedelta, duration: timedelta) -> None:
        self._store = store
        self._lag = lag.total_seconds()
        self._duration = duration.total_seconds()
        self._courses: dict[Key, Course] = {}
        self._unseen: dict[Key, float] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="stand-in-controller", daemon=True)

    def start(self) -> None:
        """Settle everything that is there, as if it had long been running, and begin."""
        with self._store.lock:
            for key in self._store.inventory():
                workload = self._store.workload(key)
                self._write(key, workload, settled(workload, time.monotonic()))
        self._thread.start()

    def stop(self) -> None:
        """End the thread and return when it has ended."""
        with self._store.lock:
            self._stopped = True
            self._store.changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        with self._store.lock:
            while not self._stopped:
                now = time.monotonic()
                is_busy = [self._advance(key, now) for key in self._store.inventory()]
                # Woken by every write; while nothing moves, it sleeps until there is one.
                self._store.changed.wait(_STEP_SECONDS if any(is_busy) else None)

    def _advance(self, key: Key, now: float) -> bool:
        """Do what is due for one workload, and tell whether time alone will make more due."""
        workload = self._store.workload(key)
        metadata, course = workload["metadata"], self._courses.get(key)
        if course is None or (course.uid, course.generation) != (metadata["uid"], metadata["generation"]):
            if now < self._unseen.setdefault(key, now) + self._lag:
                return True
            del self._unseen[key]
            course = looked(course, workload, now)
        elif course.is_moving:
            course = moved(course, workload["spec"], now, duration=self._duration)
        else:
            return False
        self._write(key, workload, course)
        return course.is_moving

    def _write(self, key: Key, workload: JsonObject, course: Course) -> None:
        self._courses[key] = course
        status = status_of(course, workload, at=self._store.timestamp())
        annotations, metadata = annotations_of(course, workload), workload["metadata"]
        if status == workload["status"] and annotations == (metadata.get("annotations") or {}):
            return
        workload["status"] = status
        if annotations:
            metadata["annotations"] = annotations
        entries = [entry for entry in metadata["managedFields"] if entry.get("subresource") != "status"]
        metadata["managedFields"] = [*entries, ownership.status_entry(status, time=self._store.timestamp())]
        self._store.put(key, workload)
