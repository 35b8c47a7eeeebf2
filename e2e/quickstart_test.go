// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The quick start as a stranger runs it: windows on the terminal, metrics to
// scrape, and nothing left behind by Ctrl-C. It alone uses fixed ports.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	quickstart := &process{Cmd: exec.CommandContext(t.Context(), "sh", "../config/quickstart.sh")}
	quickstart.Env = append(os.Environ(), fmt.Sprintf("CCAASSIM_PORT=%d", freePort(t)))
	quickstart.Stdout, quickstart.Stderr = &quickstart.output, &quickstart.output
	quickstart.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to the whole group
	require.NoError(t, quickstart.Start())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("make run printed:\n%s", quickstart.output.String())
		}
	})
	interrupt := func() { _ = syscall.Kill(-quickstart.Process.Pid, syscall.SIGINT) }
	t.Cleanup(interrupt)

	eventually(t, func() error {
		if text := quickstart.output.String(); !strings.Contains(text, `"metric":"ws_throughput"`) {
			return fmt.Errorf("no window is printed: %s", text)
		}
		return nil
	})
	eventually(t, func() error {
		_, page, err := get("http://localhost:9464/metrics")
		if err == nil && !strings.Contains(page, "ws_active_connections{") {
			err = fmt.Errorf("no active connections: %s", page)
		}
		return err
	})
	status, page, err := get("http://localhost:13133")
	require.NoError(t, err)
	require.Equal(t, 200, status, page)

	interrupt()
	_ = quickstart.Wait()
	eventually(t, func() error {
		if _, _, err := get("http://localhost:9464/metrics"); err == nil {
			return errors.New("the collector is still there")
		}
		return nil
	})
}
