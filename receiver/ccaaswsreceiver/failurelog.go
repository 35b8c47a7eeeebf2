// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"sync"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// failureLog selects the failed attempts that are logged. The connections of a receiver
// fail together: of those that fail for one cause, one logs its attempts, with their number.
type failureLog struct {
	mutex   sync.Mutex
	failing map[wsclient.Cause]*failingConnections
}

type failingConnections struct {
	logging int // the connection that logs
	all     map[int]struct{}
}

// failed records a failed attempt. It returns whether to log it, and the number of
// connections that fail for this cause.
func (l *failureLog) failed(connection int, cause wsclient.Cause) (log bool, connections int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for other := range l.failing {
		if other != cause {
			l.remove(connection, other)
		}
	}
	if l.failing == nil {
		l.failing = map[wsclient.Cause]*failingConnections{}
	}
	f := l.failing[cause]
	if f == nil {
		f = &failingConnections{logging: connection, all: map[int]struct{}{}}
		l.failing[cause] = f
	}
	if _, fails := f.all[f.logging]; !fails {
		f.logging = connection
	}
	f.all[connection] = struct{}{}
	return f.logging == connection, len(f.all)
}

// connected records that a connection no longer fails.
func (l *failureLog) connected(connection int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for cause := range l.failing {
		l.remove(connection, cause)
	}
}

func (l *failureLog) remove(connection int, cause wsclient.Cause) {
	f := l.failing[cause]
	delete(f.all, connection)
	if len(f.all) == 0 {
		delete(l.failing, cause)
	}
}
