// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fileexporter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/fileexporter/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/fileexporter/internal/retention"
)

const (
	scanInterval = 10 * time.Second // between two checks of the files
	logInterval  = time.Hour        // between two lines on the size limit
)

// writer is the Collector's exporter for one kind of data. It writes to one file until it
// is shut down; it rotates by size itself.
type writer[D any] struct {
	component.Component

	consume func(context.Context, D) error
}

// archive writes files with the Collector's exporter, one after the other, and deletes
// those that are too old or too many.
type archive[D any] struct {
	config    *Config
	newWriter func(context.Context, component.Config) (writer[D], error)
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	mutex   sync.RWMutex // held for writing while a file is replaced
	current *writer[D]   // nil: not started, or the next file could not be begun
	opened  time.Time

	host   component.Host
	stop   chan struct{}
	ended  sync.WaitGroup
	logged time.Time // the last line on the size limit
}

func newArchive[D any](
	set exporter.Settings, config *Config, signal pipeline.Signal, newWriter func(context.Context, component.Config) (writer[D], error),
) (*archive[D], error) {
	if err := config.claim(signal); err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &archive[D]{config: config, newWriter: newWriter, logger: set.Logger, telemetry: telemetry}, nil
}

// Start begins a file. One that a previous run has left is rotated: nothing is known of
// when it was begun.
func (a *archive[D]) Start(ctx context.Context, host component.Host) error {
	a.host = host
	now := time.Now()
	if err := a.setAside(now); err != nil {
		return err
	}
	if err := a.begin(ctx, now); err != nil {
		return err
	}
	a.tick(ctx, now)
	a.stop = make(chan struct{})
	a.ended.Go(func() { a.run(context.WithoutCancel(ctx)) })
	return nil
}

func (a *archive[D]) run(ctx context.Context) {
	ticker := time.NewTicker(scanInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.tick(ctx, time.Now())
		case <-a.stop:
			return
		}
	}
}

// tick replaces the current file when it is due, and deletes files.
func (a *archive[D]) tick(ctx context.Context, now time.Time) {
	a.mutex.RLock()
	due := a.current == nil || now.Sub(a.opened) >= a.config.Retention.RotationInterval
	a.mutex.RUnlock()
	if due {
		if err := a.rotate(ctx, now); err != nil {
			a.logger.Error("A new file cannot be begun; records are refused until it can, and the next attempt follows",
				zap.String("path", a.config.File.Path), zap.Duration("after", scanInterval), zap.Error(err))
		}
	}
	if err := a.clean(ctx, now); err != nil {
		a.logger.Error("Files of the archive cannot be deleted", zap.String("path", a.config.File.Path), zap.Error(err))
	}
}

// Shutdown ends the current file.
func (a *archive[D]) Shutdown(ctx context.Context) error {
	if a.stop == nil {
		return nil
	}
	close(a.stop)
	a.ended.Wait()
	a.stop = nil
	a.telemetry.Shutdown()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.end(ctx)
}

var errNoFile = errors.New("there is no file to write to; the log says why it cannot be begun")

// consume writes to the current file.
func (a *archive[D]) consume(ctx context.Context, data D) error {
	a.mutex.RLock()
	defer a.mutex.RUnlock()
	if a.current == nil {
		return errNoFile
	}
	return a.current.consume(ctx, data)
}

// rotate ends the current file and begins the next one. A file without records goes on.
func (a *archive[D]) rotate(ctx context.Context, now time.Time) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if size, err := sizeOf(a.config.File.Path); err == nil && size == 0 && a.current != nil {
		a.opened = now
		return nil
	}
	if err := a.end(ctx); err != nil {
		return err
	}
	if err := a.setAside(now); err != nil {
		return err
	}
	return a.begin(ctx, now)
}

// end and begin are called with the lock, or before anybody else has the archive.
func (a *archive[D]) end(ctx context.Context) error {
	if a.current == nil {
		return nil
	}
	ended := a.current
	a.current = nil
	return ended.Shutdown(ctx)
}

func (a *archive[D]) begin(ctx context.Context, now time.Time) error {
	inner := a.config.File
	inner.Rotation = a.config.rotation()
	next, err := a.newWriter(ctx, &inner)
	if err != nil {
		return err
	}
	if err := next.Start(ctx, a.host); err != nil {
		return errors.Join(err, next.Shutdown(ctx))
	}
	a.current, a.opened = &next, now
	return nil
}

// setAside gives the current file the name of a rotated one.
func (a *archive[D]) setAside(now time.Time) error {
	path := a.config.File.Path
	size, err := sizeOf(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && size == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for at := now.In(a.config.zone()); ; at = at.Add(time.Millisecond) {
		rotated := retention.Rotated(path, at)
		if _, err := os.Lstat(rotated); errors.Is(err, os.ErrNotExist) {
			return os.Rename(path, rotated)
		} else if err != nil {
			return err
		}
	}
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// clean deletes what retention does not keep.
func (a *archive[D]) clean(ctx context.Context, now time.Time) error {
	files, current, err := a.files()
	if err != nil {
		return err
	}
	directory := filepath.Dir(a.config.File.Path)
	deletions, kept := retention.Plan(files, current, now, a.config.Retention.limits())
	var errs []error
	total := current
	for _, f := range kept {
		total += f.Size
	}
	var bySize []retention.Deletion
	for _, d := range deletions {
		if err := os.Remove(filepath.Join(directory, d.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
			total += d.Size
			continue
		}
		reason := metric.WithAttributes(attribute.String("reason", string(d.Reason)))
		a.telemetry.FileDeletedFiles.Add(ctx, 1, reason)
		a.telemetry.FileDeletedBytes.Add(ctx, d.Size, reason)
		if d.Reason == retention.Size {
			bySize = append(bySize, d)
		}
	}
	oldest := time.Duration(0)
	if len(kept) > 0 {
		oldest = now.Sub(kept[0].End)
	}
	a.telemetry.FileRetainedBytes.Record(ctx, total)
	a.telemetry.FileRetainedTime.Record(ctx, oldest.Seconds())
	a.logSizeLimit(bySize, oldest, now)
	return errors.Join(errs...)
}

// logSizeLimit says, once an hour, that the archive holds less than max_age.
func (a *archive[D]) logSizeLimit(deleted []retention.Deletion, oldest time.Duration, now time.Time) {
	if len(deleted) == 0 || now.Sub(a.logged) < logInterval {
		return
	}
	a.logged = now
	a.logger.Warn("The archive has reached max_megabytes: its oldest files are deleted before max_age; raise the limit, or write fewer events",
		zap.String("path", a.config.File.Path), zap.Int64("max_megabytes", a.config.Retention.MaxMegabytes),
		zap.Duration("max_age", a.config.Retention.MaxAge), zap.Duration("kept", oldest.Round(time.Second)),
		zap.Int("deleted_files", len(deleted)))
}

// files are the rotated files of the archive, and the size of the current one.
func (a *archive[D]) files() (files []retention.File, current int64, err error) {
	path := a.config.File.Path
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, 0, fmt.Errorf("directory of path: %w", err)
	}
	for _, entry := range entries {
		end, rotated := retention.End(path, entry.Name(), a.config.zone())
		if !rotated && entry.Name() != filepath.Base(path) {
			continue
		}
		info, err := entry.Info()
		switch {
		case err != nil || !info.Mode().IsRegular(): // it has gone in the meantime, or is not ours
		case rotated:
			files = append(files, retention.File{Name: entry.Name(), Size: info.Size(), End: end})
		default:
			current = info.Size()
		}
	}
	return files, current, nil
}
