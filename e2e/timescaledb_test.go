// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"golang.org/x/sync/errgroup"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// postgres is a running server that speaks the protocol of PostgreSQL.
type postgres struct {
	url   string
	serve func() *process // starts it, or starts it again where it was
}

// startPostgres starts Debian's PostgreSQL.
func startPostgres(t testing.TB) *postgres {
	t.Helper()
	program := installed(t, "PostgreSQL", "postgres", "/usr/lib/postgresql/*/bin/postgres")
	program, err := filepath.EvalSymlinks(program)
	require.NoError(t, err)
	folder, port := serverFolder(t), freePort(t)
	data := filepath.Join(folder, "data")
	create := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(program), "initdb"), "-D", data, "-U", "ccaas", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
	out, err := unprivileged(t, create, folder).CombinedOutput()
	require.NoError(t, err, string(out))
	p := &postgres{url: fmt.Sprintf("postgres://ccaas@127.0.0.1:%d/postgres?sslmode=disable", port)}
	p.serve = func() *process {
		command := exec.CommandContext(context.Background(), program, "-D", data, "-p", strconv.Itoa(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
		server := startCommand(t, "postgres", unprivileged(t, command, folder))
		t.Cleanup(func() { _ = server.Process.Signal(os.Interrupt) }) // at SIGTERM it would wait until its clients leave
		return server
	}
	return p
}

// ready waits for the server.
func (p *postgres) ready(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		connection, err := pgx.Connect(ctx, p.url)
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
}

// query reads one column. It uses a connection of its own, and no prepared statement, since the connections of a server may share one session.
func query[T any](t testing.TB, p *postgres, sql string, arguments ...any) ([]T, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	connection, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close(ctx) }()
	found, err := connection.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, arguments...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, pgx.RowTo[T])
}

func mustQuery[T any](t testing.TB, p *postgres, sql string, arguments ...any) []T {
	t.Helper()
	values, err := query[T](t, p, sql, arguments...)
	require.NoError(t, err, sql)
	return values
}

func (p *postgres) totals(t testing.TB) (seriesTotals, error) {
	t.Helper()
	rows, err := query[string](t, p, `SELECT concat_ws('|', metric_name, region, tenant_id, channel_type, value) FROM (
		SELECT DISTINCT ON (metric_name, region, tenant_id, channel_type) * FROM ws_metrics
		ORDER BY metric_name, region, tenant_id, channel_type, window_timestamp DESC) AS latest`)
	found := seriesTotals{}
	for _, text := range rows {
		parts := strings.Split(text, "|")
		var value float64
		if _, err := fmt.Sscan(parts[4], &value); err != nil {
			return nil, err
		}
		found.put(parts[0], sim.Series{Region: parts[1], TenantID: parts[2], ChannelType: parts[3]}, int64(value))
	}
	return found, err
}

// The database is killed in the middle of the traffic and is down for a while: nothing is missing, nothing is counted twice.
func TestTimescaleDB_TotalsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	running := server.serve()
	server.ready(t)
	platform := testTraffic(t)
	shipped(t, "timescaledb.yaml", []string{"TIMESCALEDB_URL=" + server.url, socketURL(platform)}, append(shortWindows, noOwnMetrics)...)
	eventually(t, func() error {
		_, err := query[string](t, server, "SELECT 'ws_metrics'::regclass::text")
		return err
	})
	require.NoError(t, running.Process.Signal(syscall.SIGQUIT)) // immediate shutdown: as a crash
	_ = running.Wait()
	truth := sent(t, platform)
	server.serve()
	eventually(t, func() error {
		found, err := server.totals(t)
		if err == nil {
			err = found.disagreement(truth)
		}
		return err
	})
}

// newTimescaleDBExporter starts an exporter without a queue, whose errors the caller gets.
func newTimescaleDBExporter(t testing.TB, p *postgres, change ...func(*timescaledbexporter.Config)) exporter.Metrics {
	t.Helper()
	factory := timescaledbexporter.NewFactory()
	config := factory.CreateDefaultConfig().(*timescaledbexporter.Config)
	config.Endpoint = p.url
	config.MaxConnections = 1
	config.TimeoutConfig.Timeout = time.Minute
	config.RetryConfig.Enabled = false
	config.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	for _, f := range change {
		f(config)
	}
	require.NoError(t, config.Validate())
	e, err := factory.CreateMetrics(t.Context(), exportertest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { _ = e.Shutdown(context.Background()) })
	return e
}

// someWindows are metrics of n windows of two series, one every second before end.
func someWindows(n int, end time.Time) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	list := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	sum, gauge, histogram := list.AppendEmpty(), list.AppendEmpty(), list.AppendEmpty()
	sum.SetName("ws.messages.sent")
	sum.SetEmptySum().SetIsMonotonic(true)
	gauge.SetName("ws.alert.firing")
	gauge.SetEmptyGauge()
	histogram.SetName("ws.session.duration")
	histogram.SetEmptyExponentialHistogram()
	key := func(attributes pcommon.Map, tenant string) {
		attributes.PutStr("region", "us-east-1")
		attributes.PutStr("tenant_id", tenant)
		attributes.PutStr("channel_type", "webmessaging")
	}
	for i := range n {
		at := pcommon.NewTimestampFromTime(end.Add(-time.Duration(i) * time.Second))
		for _, tenant := range []string{"acme_corp", "globex"} {
			total := sum.Sum().DataPoints().AppendEmpty()
			key(total.Attributes(), tenant)
			total.SetTimestamp(at)
			total.SetIntValue(int64(n - i))
			for _, rule := range []string{"a", "b"} {
				firing := gauge.Gauge().DataPoints().AppendEmpty()
				key(firing.Attributes(), tenant)
				firing.Attributes().PutStr("rule", rule)
				firing.SetTimestamp(at)
			}
			duration := histogram.ExponentialHistogram().DataPoints().AppendEmpty()
			key(duration.Attributes(), tenant)
			duration.Attributes().PutStr("outcome", "closed")
			duration.SetTimestamp(at)
			duration.SetCount(3)
			duration.SetSum(7)
			duration.SetZeroCount(1)
			duration.Positive().BucketCounts().FromRaw([]uint64{2})
		}
	}
	return metrics
}

// checkTables sends windows, sends them again, and reads them.
func checkTables(t *testing.T, server *postgres) {
	t.Helper()
	send := func(metrics pmetric.Metrics) {
		e := newTimescaleDBExporter(t, server)
		require.NoError(t, e.ConsumeMetrics(t.Context(), metrics))
		require.NoError(t, e.Shutdown(t.Context()))
	}
	end := time.Now().UTC().Truncate(time.Second).Add(123 * time.Millisecond)
	const n = 50
	send(someWindows(n, end))
	const state = `SELECT string_agg(xmin::text, ',' ORDER BY metric_name, tenant_id, window_timestamp) FROM ws_metrics`
	before := mustQuery[string](t, server, state)
	send(someWindows(n, end))
	assert.Equal(t, before, mustQuery[string](t, server, state), "a retry writes no row anew")
	assert.Equal(t, []int64{2 * n}, mustQuery[int64](t, server, "SELECT count(*) FROM ws_metrics"))
	assert.Equal(t, []int64{4 * n}, mustQuery[int64](t, server, "SELECT count(*) FROM ws_metrics_extra"))
	assert.Equal(t, []int64{2 * n}, mustQuery[int64](t, server, "SELECT count(*) FROM ws_histograms"))
	assert.Equal(t, []string{"{1,2}|{1,2,0}|3|7"}, mustQuery[string](t, server,
		"SELECT DISTINCT concat_ws('|', bounds, counts, count, sum) FROM ws_histograms"))

	const inRange = `SELECT value FROM ws_metrics WHERE metric_name = 'ws.messages.sent' AND tenant_id = 'globex' AND region = 'us-east-1'
		AND window_timestamp >= $1 AND window_timestamp < $2 ORDER BY window_timestamp`
	millisecond := time.Millisecond
	assert.Equal(t, []float64{n}, mustQuery[float64](t, server, inRange, end, end.Add(millisecond)))
	assert.Empty(t, mustQuery[float64](t, server, inRange, end.Add(-millisecond), end))
	assert.Empty(t, mustQuery[float64](t, server, inRange, end.Add(millisecond), end.Add(time.Second)))
	assert.Equal(t, []float64{n - 2, n - 1}, mustQuery[float64](t, server, inRange, end.Add(-2*time.Second), end))
	assert.Equal(t, []string{"metric_name,region,tenant_id,channel_type,window_timestamp"}, mustQuery[string](t, server,
		`SELECT string_agg(attname, ',' ORDER BY array_position(conkey, attnum)) FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
		WHERE conrelid = 'ws_metrics'::regclass AND contype = 'p'`), "the composite key of the requirements")
}

// Plain PostgreSQL: tables by day, several writers at a time, retention.
func TestTimescaleDB_PlainPostgreSQL(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	server.serve()
	server.ready(t)
	mustQuery[string](t, server, "CREATE DATABASE tables")
	mustQuery[string](t, server, "CREATE DATABASE printed")
	in := func(database string) *postgres {
		return &postgres{url: strings.Replace(server.url, "/postgres?", "/"+database+"?", 1)}
	}
	t.Run("tables", func(t *testing.T) {
		t.Parallel()
		checkTables(t, in("tables"))
	})
	t.Run("several writers", func(t *testing.T) {
		t.Parallel()
		var writers errgroup.Group
		end := time.Now()
		for range 4 { // each creates the tables, and writes the same rows
			e := newTimescaleDBExporter(t, server, func(c *timescaledbexporter.Config) { c.MaxConnections = 4 })
			writers.Go(func() error {
				for range 10 {
					if err := e.ConsumeMetrics(t.Context(), someWindows(100, end)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, writers.Wait())
		assert.Equal(t, []int64{200}, mustQuery[int64](t, server, "SELECT count(*) FROM ws_metrics"))

		// A partition whose rows are older than 90 days is deleted when a collector starts; a younger one stays.
		at := func(age time.Duration) string { return time.Now().Add(-age).UTC().Format("20060102") }
		const day = 24 * time.Hour
		for _, age := range []time.Duration{92 * day, 89 * day} {
			from := time.Now().Add(-age).UTC().Truncate(day)
			mustQuery[string](t, server, fmt.Sprintf("CREATE TABLE ws_metrics_p%s PARTITION OF ws_metrics FOR VALUES FROM ('%s') TO ('%s')",
				at(age), from.Format(time.RFC3339), from.Add(day).Format(time.RFC3339)))
		}
		late := newTimescaleDBExporter(t, server)
		require.NoError(t, late.ConsumeMetrics(t.Context(), someWindows(1, time.Now())))
		eventually(t, func() error {
			names, err := query[string](t, server, "SELECT relname::text FROM pg_class WHERE relname IN ($1, $2)", "ws_metrics_p"+at(92*day), "ws_metrics_p"+at(89*day))
			if err == nil && (len(names) != 1 || names[0] != "ws_metrics_p"+at(89*day)) {
				err = fmt.Errorf("partitions %v", names)
			}
			return err
		})
	})
	t.Run("the printed schema", func(t *testing.T) {
		t.Parallel()
		server := in("printed")
		e := newTimescaleDBExporter(t, server, func(c *timescaledbexporter.Config) { c.CreateSchema = false })
		require.ErrorContains(t, e.ConsumeMetrics(t.Context(), someWindows(1, time.Now())), "--print-schema")
		sql, err := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "timescaledb", "--print-schema", "--plain").Output()
		require.NoError(t, err)
		connection, err := pgx.Connect(t.Context(), server.url)
		require.NoError(t, err)
		defer func() { _ = connection.Close(context.Background()) }()
		_, err = connection.PgConn().Exec(t.Context(), string(sql)).ReadAll()
		require.NoError(t, err)
		require.NoError(t, e.ConsumeMetrics(t.Context(), someWindows(1, time.Now())))
		assert.Equal(t, []int64{2}, mustQuery[int64](t, server, "SELECT count(*) FROM ws_metrics"))
	})
}

// startTimescaleDB starts PostgreSQL with the extension, whose connections share one session.
func startTimescaleDB(t testing.TB) *postgres {
	t.Helper()
	node, err := exec.LookPath("node")
	_, missing := os.Stat("../bin/timescaledb/node_modules")
	if err != nil || missing != nil {
		skip(t, "no Node, or no bin/timescaledb, which make e2e fetches with npm: nothing is tested with the extension timescaledb")
	}
	require.NoError(t, err)
	require.NoError(t, missing)
	port := freePort(t)
	startCommand(t, "timescaledb", exec.CommandContext(context.Background(), node, "testdata/timescaledb/server.mjs", mustAbs(t, "../bin/timescaledb"), strconv.Itoa(port)))
	server := &postgres{url: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)}
	server.ready(t)
	return server
}

// TimescaleDB itself: hypertables, retention, compression and hourly aggregates.
func TestTimescaleDB_Extension(t *testing.T) {
	t.Parallel()
	server := startTimescaleDB(t)
	checkTables(t, server)
	assert.ElementsMatch(t, []string{"ws_metrics", "ws_metrics_extra", "ws_histograms"}, mustQuery[string](t, server,
		"SELECT hypertable_name::text FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'"))

	// Rows of 91 days ago are deleted by the job that the exporter has made, which is run by hand: this build runs none.
	old := time.Now().Add(-91 * 24 * time.Hour).Truncate(time.Millisecond) // the column has milliseconds
	mustQuery[string](t, server, `INSERT INTO ws_metrics SELECT metric_name, region, tenant_id, channel_type, $1::timestamptz, value FROM ws_metrics
		WHERE metric_name = 'ws.messages.sent' AND value = 50`, old)
	count := func() int64 {
		return mustQuery[int64](t, server, "SELECT count(*) FROM ws_metrics WHERE window_timestamp <= $1", old)[0]
	}
	assert.EqualValues(t, 2, count())
	jobs := mustQuery[int32](t, server, `SELECT job_id FROM timescaledb_information.jobs
		WHERE hypertable_name = 'ws_metrics' AND proc_name = 'policy_retention' AND config ->> 'drop_after' IN ('90 days', '2160:00:00')`)
	require.Len(t, jobs, 1)
	mustQuery[string](t, server, fmt.Sprintf("CALL run_job(%d)", jobs[0]))
	assert.Zero(t, count())
	assert.Equal(t, []int64{100}, mustQuery[int64](t, server, "SELECT count(*) FROM ws_metrics"))

	mustQuery[string](t, server, "CALL refresh_continuous_aggregate('ws_metrics_hourly', NULL, NULL)")
	assert.Equal(t, []float64{50}, mustQuery[float64](t, server, "SELECT max(maximum) FROM ws_metrics_hourly WHERE metric_name = 'ws.messages.sent'"))
	assert.ElementsMatch(t, []string{"policy_compression", "policy_refresh_continuous_aggregate"}, mustQuery[string](t, server,
		"SELECT proc_name::text FROM timescaledb_information.jobs WHERE proc_name IN ('policy_compression', 'policy_refresh_continuous_aggregate')"))
	chunks := mustQuery[string](t, server, "SELECT compress_chunk(c)::text FROM show_chunks('ws_metrics') AS c")
	assert.NotEmpty(t, chunks)

	// A compressed chunk takes late rows and retries; a new retention replaces the old one.
	e := newTimescaleDBExporter(t, server, func(c *timescaledbexporter.Config) { c.Retention = 30 * 24 * time.Hour })
	require.NoError(t, e.ConsumeMetrics(t.Context(), someWindows(60, time.Now())))
	require.NoError(t, e.Shutdown(t.Context()))
	assert.Equal(t, []int64{1}, mustQuery[int64](t, server, `SELECT count(*) FROM timescaledb_information.jobs
		WHERE hypertable_name = 'ws_metrics' AND proc_name = 'policy_retention'`))
}
