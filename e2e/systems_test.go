// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// sums are the OTLP names of the totals, with their share of what the platform sent.
var sums = map[string]func(sim.Counts) int64{
	"ws.connections.opened":  func(c sim.Counts) int64 { return c.ConnectionsOpened },
	"ws.connections.closed":  func(c sim.Counts) int64 { return c.ConnectionsClosed },
	"ws.connections.dropped": func(c sim.Counts) int64 { return c.ConnectionsDropped },
	"ws.messages.sent":       func(c sim.Counts) int64 { return c.MessagesSent },
	"ws.messages.received":   func(c sim.Counts) int64 { return c.MessagesReceived },
	"ws.payload":             func(c sim.Counts) int64 { return c.PayloadBytes },
}

// seriesTotals are what a store has: the last value of each sum of each series, by OTLP name.
type seriesTotals map[string]map[sim.Series]int64

func (found seriesTotals) put(name string, series sim.Series, value int64) {
	if found[name] == nil {
		found[name] = map[sim.Series]int64{}
	}
	found[name][series] = value
}

// disagreement reports where a store has another number than the platform sent.
func (found seriesTotals) disagreement(truth sim.Truth) error {
	var errs []error
	for name, of := range sums {
		for _, series := range truth.Series {
			if want := of(series.Counts); found[name][series.Series] != want {
				errs = append(errs, fmt.Errorf("%s%v is %d, the platform sent %d", name, series.Series, found[name][series.Series], want))
			}
		}
		if len(found[name]) > len(truth.Series) {
			errs = append(errs, fmt.Errorf("%s has %d series, the platform %d", name, len(found[name]), len(truth.Series)))
		}
	}
	return errors.Join(errs...)
}

// installed is the path of a server's program. A machine without it skips the test.
func installed(t testing.TB, what, program string, patterns ...string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	message := what + " is not installed, which make servers does with apt-get as root: nothing is tested against it"
	skip(t, "%s", message)
	return ""
}

// unprivileged makes a command run in folder, as the user nobody where the tests are run by root: servers of databases
// refuse to be root's.
func unprivileged(t testing.TB, command *exec.Cmd, folder string) *exec.Cmd {
	t.Helper()
	command.Dir = folder
	if os.Getuid() != 0 {
		return command
	}
	uid, gid := nobody(t)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // 65534
	return command
}

func nobody(t testing.TB) (uid, gid int) {
	t.Helper()
	found, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err = strconv.Atoi(found.Uid)
	require.NoError(t, err)
	gid, err = strconv.Atoi(found.Gid)
	require.NoError(t, err)
	return uid, gid
}

// serverFolder is a folder of a server that runs unprivileged; that of t.TempDir is in one that only its user may enter.
func serverFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "e2e-server-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	if os.Getuid() == 0 {
		uid, gid := nobody(t)
		require.NoError(t, os.Chown(folder, uid, gid))
	}
	return folder
}
