// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fileexporter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/fileexporter/internal/retention"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the exporter; see the README.
type Config struct {
	// File has all keys of the Collector's exporter.
	File contrib.Config `mapstructure:",squash"`
	// Retention keeps files for a time; nil: rotation alone decides.
	Retention *RetentionConfig `mapstructure:"retention"`

	signal pipeline.Signal // that has the files
}

// RetentionConfig bounds the files by time and size.
type RetentionConfig struct {
	// MaxAge is how old the youngest record of a file may be.
	MaxAge time.Duration `mapstructure:"max_age"`
	// RotationInterval is after which time a new file is begun.
	RotationInterval time.Duration `mapstructure:"rotation_interval"`
	// MaxMegabytes bounds all files together; 0: the disk does.
	MaxMegabytes int64 `mapstructure:"max_megabytes"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

const retentionKey = "retention"

func defaultRetention() *RetentionConfig {
	return &RetentionConfig{MaxAge: 24 * time.Hour, RotationInterval: 10 * time.Minute}
}

var errTwoRetentions = errors.New("rotation: max_days and max_backups cannot be set beside retention, which replaces them; remove them")

// Unmarshal reads the keys of retention, and leaves the others to the Collector's exporter.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	raw := conf.ToStringMap()
	if err := confduration.Check(raw, c); err != nil {
		return err
	}
	delete(raw, retentionKey)
	if err := confmap.NewFromStringMap(raw).Unmarshal(&c.File); err != nil {
		return err
	}
	if !conf.IsSet(retentionKey) {
		return nil
	}
	if conf.IsSet("rotation::max_days") || conf.IsSet("rotation::max_backups") {
		return errTwoRetentions
	}
	section, err := conf.Sub(retentionKey)
	if err != nil {
		return err
	}
	c.Retention = defaultRetention()
	return section.Unmarshal(c.Retention)
}

// Lower bounds: files are checked every scanInterval.
const (
	minMaxAge   = time.Minute
	minInterval = 10 * time.Second
)

// Validate reports all invalid settings of retention by key.
func (c *Config) Validate() error {
	r := c.Retention
	if r == nil {
		return nil
	}
	var errs []error
	refuse := func(bad bool, key string, value any, rule string) {
		if bad {
			errs = append(errs, fmt.Errorf("retention::%s: %v: %s", key, value, rule))
		}
	}
	refuse(r.MaxAge < minMaxAge, "max_age", r.MaxAge, "must be at least 1m")
	refuse(r.RotationInterval < minInterval || r.RotationInterval > r.MaxAge, "rotation_interval", r.RotationInterval,
		fmt.Sprintf("must be from 10s to max_age (%v)", r.MaxAge))
	least := 2 * int64(c.rotation().MaxMegabytes)
	refuse(r.MaxMegabytes < 0 || r.MaxMegabytes > 0 && r.MaxMegabytes < least, "max_megabytes", r.MaxMegabytes,
		fmt.Sprintf("must be 0 (no limit) or at least %d, twice rotation::max_megabytes", least))
	if c.File.Append {
		errs = append(errs, errors.New("append: true: cannot be set beside retention, which appends by itself; remove it"))
	}
	if c.File.GroupBy != nil && c.File.GroupBy.Enabled {
		errs = append(errs, errors.New("group_by: cannot be set beside retention; write one file, or set rotation"))
	}
	return errors.Join(errs...)
}

const defaultMegabytes = 100 // of one file, as in the Collector's exporter

// rotation is by size alone; what is deleted is decided by retention.
func (c *Config) rotation() *contrib.Rotation {
	rotation := contrib.Rotation{MaxMegabytes: defaultMegabytes}
	if own := c.File.Rotation; own != nil {
		rotation.LocalTime = own.LocalTime
		if own.MaxMegabytes > 0 {
			rotation.MaxMegabytes = own.MaxMegabytes
		}
	}
	return &rotation
}

func (c *Config) zone() *time.Location {
	if c.rotation().LocalTime {
		return time.Local
	}
	return time.UTC
}

func (c *RetentionConfig) limits() retention.Limits {
	return retention.Limits{MaxAge: c.MaxAge, MaxSize: c.MaxMegabytes << 20}
}

// warnOfOpenDirectory logs that directory_permissions have no effect on a directory that
// is there already and that more users can read.
func (c *Config) warnOfOpenDirectory(logger *zap.Logger) {
	wanted, err := strconv.ParseUint(c.File.DirectoryPermissions, 8, 32)
	if !c.File.CreateDirectory || err != nil {
		return
	}
	directory := filepath.Dir(c.File.Path)
	info, err := os.Stat(directory)
	if err != nil || info.Mode().Perm()&^fs.FileMode(wanted) == 0 {
		return
	}
	logger.Warn("The directory was there before, with more permissions than directory_permissions: others may read the files in it; change it with chmod",
		zap.String("directory", directory), zap.String("permissions", fmt.Sprintf("%04o", info.Mode().Perm())),
		zap.String("directory_permissions", c.File.DirectoryPermissions))
}
