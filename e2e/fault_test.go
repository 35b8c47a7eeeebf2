// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Tests whose names begin with TestFault try to break a promise. make e2e runs
// each with small numbers, make faults with the numbers of docs/reliability.md.

// thorough is true when the faults are to be as many, as long and as large as in
// docs/reliability.md.
func thorough() bool { return os.Getenv("FAULTS") == "full" }

// amount is one of two numbers: that of a quick run, or that of a thorough one.
func amount[N any](quick, full N) N {
	if thorough() {
		return full
	}
	return quick
}

// timed notes how long something took beside its limit. It fails no test: a machine may be
// slow, and what never ends has failed already.
func timed(t testing.TB, what string, took, limit time.Duration) {
	t.Helper()
	verdict := "holds"
	if took > limit {
		verdict = "DOES NOT HOLD"
	}
	measured(t, "%s took %v, at most %v: %s", what, took.Round(10*time.Millisecond), limit, verdict)
}

// termination is how long SIGTERM may take.
const termination = 10 * time.Second

// measured notes what a test has found in build/faults.md, as a row of a table,
// beside the figures of all the others.
func measured(t testing.TB, format string, arguments ...any) {
	t.Helper()
	figure := fmt.Sprintf(format, arguments...)
	t.Log(figure)
	require.NoError(t, os.MkdirAll(filepath.Join("..", "build"), 0o755))
	table, err := os.OpenFile(filepath.Join("..", "build", "faults.md"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = fmt.Fprintf(table, "| %s | %s |\n", t.Name(), figure)
	require.NoError(t, err)
	require.NoError(t, table.Close())
}
