// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// The shipped half of Telegraf, with its outputs to InfluxDB 1 and PostgreSQL in place of that to InfluxDB 2, which is not
// here: each has every total of every series, in a measurement or table per metric.
func TestReal_TelegrafIntoInfluxDBAndPostgreSQL(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../bin/telegraf"); err != nil {
		t.Skip("no bin/telegraf, which make e2e-real builds: nothing is tested with Telegraf")
	}
	influx, database := startInfluxDB(t), startPostgres(t)
	influx.create(t, "ccaas", "90d")
	database.serve()
	database.ready(t)

	port, folder := freePort(t), t.TempDir()
	text, err := os.ReadFile("../deploy/telegraf/telegraf.conf")
	require.NoError(t, err)
	shippedConf := string(text)
	section := func(title string) string { // a commented section, without its comments
		_, rest, found := strings.Cut(shippedConf, "# "+title)
		require.True(t, found, title)
		rest, _, _ = strings.Cut(rest, "\n\n")
		_, rest, _ = strings.Cut(rest, "\n")
		return regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(rest, "") + "\n"
	}
	own, _, found := strings.Cut(shippedConf, "# InfluxDB 2 and 3")
	require.True(t, found)
	own = strings.Replace(own, "127.0.0.1:1234", "127.0.0.1:"+strconv.Itoa(port), 1)
	lines := filepath.Join(folder, "lines")
	config := filepath.Join(folder, "telegraf.conf")
	require.NoError(t, os.WriteFile(config, []byte(own+section("InfluxDB 1:")+section("PostgreSQL:")+
		"[[outputs.file]]\n  files = [\""+lines+"\"]\n  data_format = \"influx\"\n"), 0o600))
	start(t, "telegraf", []string{"INFLUX_URL=" + influx.url, "INFLUX_DATABASE=ccaas", "POSTGRESQL_URL=" + database.url}, "--config", config)
	eventually(t, func() error {
		connection, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return err
		}
		return connection.Close()
	})

	platform := testTraffic(t)
	shipped(t, "telegraf.yaml", []string{fmt.Sprintf("TELEGRAF_URL=http://127.0.0.1:%d/receive", port), socketURL(platform)}, append(shortWindows, noOwnMetrics)...)
	truth := sent(t, platform)
	eventually(t, func() error {
		found, err := influx.totals("ccaas")
		if err == nil {
			err = found.disagreement(truth)
		}
		return err
	})
	eventually(t, func() error {
		found, err := telegrafTables(t, database)
		if err == nil {
			err = found.disagreement(truth)
		}
		return err
	})
	written, err := os.ReadFile(lines)
	require.NoError(t, err)
	assert.Contains(t, string(written), "ws_active_connections,")
	assert.NotContains(t, string(written), "prometheus_remote_write")
}

func telegrafTables(t *testing.T, p *postgres) (seriesTotals, error) {
	t.Helper()
	found := seriesTotals{}
	for name, table := range measurements {
		rows, err := query[string](t, p, fmt.Sprintf(`SELECT DISTINCT ON (region, tenant_id, channel_type) concat_ws('|', region, tenant_id, channel_type, value::bigint)
			FROM %s ORDER BY region, tenant_id, channel_type, time DESC`, table))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			parts := strings.Split(row, "|")
			value, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
			if err != nil || len(parts) != 4 {
				return nil, errors.Join(fmt.Errorf("%s has the row %q", table, row), err)
			}
			found.put(name, sim.Series{Region: parts[0], TenantID: parts[1], ChannelType: parts[2]}, value)
		}
	}
	return found, nil
}
