// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// alone starts a binary on a network of its own, with the ports that it has by
// default; a machine that gives no such network skips the test.
func alone(t *testing.T, environment []string, name string, arguments ...string) *process {
	t.Helper()
	script := `ip link set lo up && exec "$0" "$@"`
	if err := exec.CommandContext(t.Context(), "unshare", "-rn", "sh", "-c", `ip link set lo up`).Run(); err != nil {
		skip(t, "no network namespace can be made: %v", err)
	}
	command := exec.CommandContext(context.Background(), "unshare", append([]string{"-rn", "sh", "-c", script, built(t, name)}, arguments...)...)
	command.Env = append(os.Environ(), environment...)
	p := startCommand(t, name, command)
	eventually(t, func() error {
		ours, err := os.Readlink("/proc/self/ns/net")
		require.NoError(t, err)
		if theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p.Process.Pid)); err != nil || ours == theirs {
			return errors.Join(errors.New("the process is not on its own network yet"), err)
		}
		return nil
	})
	return p
}

// listeners are the addresses that something listens on, in the network that a
// process is in.
func (p *process) listeners(t *testing.T) (addresses []string) {
	t.Helper()
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", p.Process.Pid, table))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			const listening, unconnected = "0A", "07"
			fields := strings.Fields(line)
			if len(fields) > 3 && (fields[3] == listening || fields[3] == unconnected) {
				addresses = append(addresses, table+" "+readable(t, fields[1]))
			}
		}
	}
	return addresses
}

// readable is an address of /proc/net, which has words in the order of the machine.
func readable(t *testing.T, address string) string {
	t.Helper()
	host, port, _ := strings.Cut(address, ":")
	words, err := hex.DecodeString(host)
	require.NoError(t, err)
	ip := make(net.IP, 0, len(words))
	for word := range slices.Chunk(words, 4) {
		ip = binary.BigEndian.AppendUint32(ip, binary.LittleEndian.Uint32(word))
	}
	number, err := hex.DecodeString(port)
	require.NoError(t, err)
	return net.JoinHostPort(ip.String(), strconv.Itoa(int(binary.BigEndian.Uint16(number))))
}

// What only the user knows.
var someSecrets = []string{
	"CCAAS_CLIENT_ID=id", "CCAAS_CLIENT_SECRET=secret", "CCAAS_ACCESS_KEY=key", "CCAAS_ACCESS_KEY_SECRET=secret",
	"PARTICIPANT_TOKEN=token", "CCAAS_ENDPOINT=wss://127.0.0.1:1", "WEBHOOK_SECRET=" + webhookSecret, "ELASTIC_API_KEY=key", "TIMESCALEDB_PASSWORD=password", "RABBITMQ_PASSWORD=password",
	"PAGERDUTY_ROUTING_KEY=key", "GATEWAY_TOKEN=token", "CCAAS_WEBHOOK_SECRET=" + webhookSecret, "SERVICENOW_CLIENT_ID=id", "SERVICENOW_CLIENT_SECRET=secret",
	"SLACK_WEBHOOK_URL=https://127.0.0.1:1/services/path", "TASKROUTER_URL=wss://127.0.0.1:1", "HOOK_TOKEN=token", "HOOK_SECRET=" + webhookSecret,
	"HOOK_NEXT_SECRET=" + webhookSecret, "KAFKA_PASSWORD=secret", "CCAAS_ALERTMANAGER=../config/alertmanager.yml",
	"CCAAS_US_CLIENT_ID=id", "CCAAS_US_CLIENT_SECRET=secret", "CCAAS_EU_CLIENT_ID=id", "CCAAS_EU_CLIENT_SECRET=secret",
}

// Every configuration that is shipped starts, and listens on loopback alone until it
// is configured otherwise.
func TestFaultListeners(t *testing.T) {
	t.Parallel()
	configs := matching(t, "../config/*.yaml")
	for _, config := range configs {
		t.Run(filepath.Base(config), func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			p := alone(t, append([]string{"CCAAS_DATA=" + data, "CCAAS_STATE=" + data, "CCAAS_ARCHIVE=" + data}, someSecrets...),
				"otelcol-ccaas", "--config", config, "--set", "service::telemetry::logs::level=info")
			eventually(t, func() error {
				if !strings.Contains(p.output.String(), "Everything is ready") {
					return errors.New("the collector is not ready")
				}
				return nil
			})
			onLoopback(t, p)
		})
	}
	t.Run("ccaassim", func(t *testing.T) {
		t.Parallel()
		p := alone(t, nil, "ccaassim")
		eventually(t, func() error {
			if len(p.listeners(t)) == 0 {
				return errors.New("the simulator is not ready")
			}
			return nil
		})
		onLoopback(t, p)
	})
}

func onLoopback(t *testing.T, p *process) {
	t.Helper()
	addresses := p.listeners(t)
	for _, address := range addresses {
		host, _, err := net.SplitHostPort(address[strings.Index(address, " ")+1:])
		require.NoError(t, err)
		assert.True(t, net.ParseIP(host).IsLoopback(), "%s is not on loopback", address)
	}
	measured(t, "%d listeners, all on loopback: %s", len(addresses), strings.Join(addresses, ", "))
}

// What the collector writes to disk is its owner's alone, whatever the umask.
func TestFaultPermissions(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	v := startVault(t, data, "umask 0; ")
	eventually(t, v.busy)
	v.kill(t)
	files, folders := 0, 0
	sealed := map[string]bool{} // folders that nobody else comes into
	require.NoError(t, filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == data {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(data, path)
		closed := sealed[filepath.Dir(path)]
		if entry.IsDir() {
			folders++
			sealed[path] = closed || info.Mode().Perm()&0o011 == 0
			assert.True(t, closed || info.Mode().Perm()&0o022 == 0, "%s has %v: others can write into it", name, info.Mode())
		} else {
			files++
			assert.True(t, closed || info.Mode().Perm()&0o077 == 0, "%s has %v: others can read it", name, info.Mode())
		}
		return nil
	}))
	assert.Greater(t, files, 6)
	measured(t, "%d files and %d folders, with a umask of 0: none that anybody else can read or write", files, folders)
}
