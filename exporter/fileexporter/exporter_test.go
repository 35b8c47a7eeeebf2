// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fileexporter

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/fileexporter/internal/metadata"
)

func config(t *testing.T, settings map[string]any) *Config {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(settings).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

// fixture is an archive whose time is the test's.
type fixture struct {
	logsArchive

	folder    string
	now       time.Time
	telemetry *componenttest.Telemetry
	log       *observer.ObservedLogs
	written   int
}

func newFixture(t *testing.T, folder string, keep map[string]any) *fixture {
	t.Helper()
	f := &fixture{folder: folder, telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { assert.NoError(t, f.telemetry.Shutdown(context.Background())) })
	core, logs := observer.New(zap.WarnLevel)
	f.log = logs
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = f.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	e, err := NewFactory().CreateLogs(t.Context(), set, config(t, map[string]any{
		"path": filepath.Join(folder, "events.jsonl"), "create_directory": true, "directory_permissions": "0700",
		"rotation": map[string]any{"max_megabytes": 1}, "retention": keep,
	}))
	require.NoError(t, err)
	f.logsArchive = e.(logsArchive)
	require.NoError(t, f.Start(t.Context(), componenttest.NewNopHost()))
	f.now = time.Now().Truncate(time.Millisecond).Add(time.Millisecond) // names have milliseconds
	return f
}

// write exports records of a size, each with a number of its own.
func (f *fixture) write(t *testing.T, records, size int) {
	t.Helper()
	for range records {
		logs := plog.NewLogs()
		record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		f.written++
		record.Body().SetStr(fmt.Sprintf("number %d.%s", f.written, strings.Repeat("x", size)))
		require.NoError(t, f.ConsumeLogs(t.Context(), logs))
	}
}

// pass lets time pass, and the archive notice.
func (f *fixture) pass(t *testing.T, d time.Duration) {
	t.Helper()
	f.now = f.now.Add(d)
	f.tick(t.Context(), f.now)
}

// names are the files of a folder, and records the numbers that are in them.
func (f *fixture) read(t *testing.T) (names []string, records map[string]int) {
	t.Helper()
	entries, err := os.ReadDir(f.folder)
	require.NoError(t, err)
	records = map[string]int{}
	for _, entry := range entries {
		names = append(names, entry.Name())
		text, err := os.ReadFile(filepath.Join(f.folder, entry.Name()))
		require.NoError(t, err)
		for _, number := range regexp.MustCompile(`number \d+`).FindAllString(string(text), -1) {
			records[number]++
		}
	}
	return names, records
}

func (f *fixture) deleted(t *testing.T, name, reason string) (sum int64) {
	t.Helper()
	m, err := f.telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if value, ok := point.Attributes.Value(attribute.Key("reason")); ok && value.AsString() == reason {
			sum += point.Value
		}
	}
	return sum
}

func TestRetention_ByAge(t *testing.T) {
	t.Parallel()
	f := newFixture(t, filepath.Join(t.TempDir(), "archive"), map[string]any{"max_age": "24h", "rotation_interval": "10m"})
	require.NoError(t, os.WriteFile(filepath.Join(f.folder, "events-of-mine.jsonl"), []byte("mine"), 0o600))
	for hour := range 30 { // 0.1 events/s would be 360 an hour; the time is what counts
		f.write(t, 1, 10)
		f.pass(t, time.Hour)
		if hour == 0 {
			names, _ := f.read(t)
			assert.Len(t, names, 2, "a file is ended by time, and the next one is made by its first record")
		}
	}
	names, records := f.read(t)
	assert.Contains(t, names, "events-of-mine.jsonl", "other files are left alone")
	assert.Len(t, records, 25, "each of 24 h, and the one that is exactly 24 h old")
	for number := 6; number <= 30; number++ {
		assert.Equal(t, 1, records[fmt.Sprintf("number %d", number)])
	}
	assert.Equal(t, int64(5), f.deleted(t, "otelcol_file_deleted_files", "age"))
	assert.Positive(t, f.deleted(t, "otelcol_file_deleted_bytes", "age"))
	assert.Zero(t, f.deleted(t, "otelcol_file_deleted_files", "size"))
	assert.Zero(t, f.log.Len())
	require.NoError(t, f.Shutdown(t.Context()))
}

func TestRetention_SizeLimitIsLoggedAndCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), map[string]any{"max_age": "24h", "max_megabytes": 3})
	for range 8 {
		f.write(t, 7, 100_000) // 0.7 MB
		f.pass(t, 10*time.Minute)
	}
	_, records := f.read(t)
	assert.Len(t, records, 28, "4 files of 0.7 MB are within 3 MiB")
	assert.Equal(t, 1, records["number 56"])
	assert.Zero(t, records["number 28"])
	assert.Equal(t, int64(4), f.deleted(t, "otelcol_file_deleted_files", "size"))
	assert.InDelta(t, 2_800_000, f.deleted(t, "otelcol_file_deleted_bytes", "size"), 20_000)
	logged := f.log.FilterMessageSnippet("max_megabytes").All()
	require.Len(t, logged, 1, "once an hour")
	assert.Equal(t, int64(3), logged[0].ContextMap()["max_megabytes"])
	kept, err := f.telemetry.GetMetric("otelcol_file_retained_time")
	require.NoError(t, err)
	assert.InDelta(t, (30 * time.Minute).Seconds(), kept.Data.(metricdata.Gauge[float64]).DataPoints[0].Value, 1)
	size, err := f.telemetry.GetMetric("otelcol_file_retained_bytes")
	require.NoError(t, err)
	assert.LessOrEqual(t, size.Data.(metricdata.Gauge[int64]).DataPoints[0].Value, int64(3<<20))
	require.NoError(t, f.Shutdown(t.Context()))
}

func TestRetention_RestartKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for range 3 {
		f := newFixture(t, folder, map[string]any{})
		f.write(t, 5, 10)
		require.NoError(t, f.Shutdown(t.Context()))
		require.NoError(t, f.Shutdown(t.Context()))
		require.ErrorIs(t, f.ConsumeLogs(t.Context(), plog.NewLogs()), errNoFile)
	}
	f := &fixture{folder: folder}
	names, records := f.read(t)
	assert.Len(t, names, 3)
	for number := range 5 {
		assert.Equal(t, 3, records[fmt.Sprintf("number %d", number+1)])
	}
}

// Records that arrive while files are replaced are in one of them, once.
func TestRetention_RotationWhileWriting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, t.TempDir(), map[string]any{})
	var group sync.WaitGroup
	const writers, each = 4, 200
	for w := range writers {
		group.Go(func() {
			for i := range each {
				logs := plog.NewLogs()
				logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(fmt.Sprintf("number %d", w*each+i))
				assert.NoError(t, f.ConsumeLogs(context.Background(), logs))
			}
		})
	}
	for range 50 {
		f.pass(t, 10*time.Minute)
	}
	group.Wait()
	require.NoError(t, f.Shutdown(t.Context()))
	_, records := f.read(t)
	assert.Len(t, records, writers*each)
	for number, times := range records {
		assert.Equal(t, 1, times, number)
	}
}

// A file that cannot be begun refuses records, is reported, and is tried again.
func TestRetention_FileThatCannotBeBegun(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "archive")
	f := newFixture(t, folder, map[string]any{})
	f.write(t, 1, 10)
	require.NoError(t, os.Rename(folder, folder+".away"))
	require.NoError(t, os.WriteFile(folder, nil, 0o600))
	f.pass(t, 10*time.Minute)
	require.Error(t, f.ConsumeLogs(t.Context(), plog.NewLogs()))
	assert.NotZero(t, f.log.FilterMessageSnippet("cannot be begun").Len())
	require.NoError(t, os.Remove(folder))
	require.NoError(t, os.Rename(folder+".away", folder))
	f.pass(t, 10*time.Second)
	f.write(t, 1, 10)
	require.NoError(t, f.Shutdown(t.Context()))
	_, records := f.read(t)
	assert.Equal(t, map[string]int{"number 1": 1, "number 2": 1}, records)
}

func TestWithoutRetention_IsTheCollectorsExporter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	cfg := config(t, map[string]any{"path": path, "rotation": map[string]any{"max_megabytes": 10, "max_days": 3, "max_backups": 3}})
	assert.Equal(t, 3, cfg.File.Rotation.MaxBackups)
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("a record")
	require.NoError(t, e.ConsumeLogs(t.Context(), logs))
	require.NoError(t, e.Shutdown(t.Context()))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "a record")
}

func TestConfig_Errors(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string]map[string]any{
		"retention::max_age: 1s: must be at least 1m":                         {"retention": map[string]any{"max_age": "1s", "rotation_interval": "1s"}},
		"retention::rotation_interval: 25h0m0s: must be from 10s to":          {"retention": map[string]any{"rotation_interval": "25h"}},
		"retention::rotation_interval: 1s: must be from 10s to":               {"retention": map[string]any{"rotation_interval": "1s"}},
		"retention::max_megabytes: 100: must be 0 (no limit) or at least 200": {"retention": map[string]any{"max_megabytes": 100}},
		"retention::max_megabytes: -1":                                        {"retention": map[string]any{"max_megabytes": -1}},
		"append: true: cannot be set beside retention":                        {"retention": map[string]any{}, "append": true},
		"group_by: cannot be set beside retention":                            {"retention": map[string]any{}, "path": "a/*.jsonl", "group_by": map[string]any{"enabled": true}},
		"rotation: max_days and max_backups cannot be set":                    {"retention": map[string]any{}, "rotation": map[string]any{"max_days": 1}},
		"retention::max_age: 24: has no unit":                                 {"retention": map[string]any{"max_age": 24}},
		"has invalid keys: max_agee":                                          {"retention": map[string]any{"max_agee": "24h"}},
		"path must be non-empty":                                              {"path": ""},
	} {
		cfg := createDefaultConfig().(*Config)
		conf := confmap.NewFromStringMap(map[string]any{"path": "a.jsonl"})
		require.NoError(t, conf.Merge(confmap.NewFromStringMap(settings)))
		err := conf.Unmarshal(cfg)
		if err == nil {
			err = confmap.Validate(cfg)
		}
		require.ErrorContains(t, err, want)
	}
}

func TestConfig_OneKindOfDataPerArchive(t *testing.T) {
	t.Parallel()
	cfg := config(t, map[string]any{"path": filepath.Join(t.TempDir(), "a.jsonl"), "retention": map[string]any{}})
	set := exportertest.NewNopSettings(metadata.Type)
	_, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	_, err = NewFactory().CreateMetrics(t.Context(), set, cfg)
	require.ErrorContains(t, err, "logs and metrics would write to the same file")
}

func TestDirectoryThatOthersCanRead(t *testing.T) {
	t.Parallel()
	for permissions, want := range map[os.FileMode]int{0o755: 1, 0o750: 1, 0o700: 0, 0o500: 0} {
		folder := filepath.Join(t.TempDir(), "archive")
		require.NoError(t, os.Mkdir(folder, 0o700))
		require.NoError(t, os.Chmod(folder, permissions))
		core, logs := observer.New(zap.WarnLevel)
		set := exportertest.NewNopSettings(metadata.Type)
		set.Logger = zap.New(core)
		_, err := NewFactory().CreateLogs(t.Context(), set, config(t, map[string]any{
			"path": filepath.Join(folder, "events.jsonl"), "create_directory": true, "directory_permissions": "0700", "retention": map[string]any{},
		}))
		require.NoError(t, err)
		assert.Equal(t, want, logs.FilterMessageSnippet("others may read").Len(), "%v", permissions)
	}
}
