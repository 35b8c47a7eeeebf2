// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Validate says everything that is wrong with the configuration, by flag.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateListen(),
		need(c.TokenTTL > 0, "token-ttl", c.TokenTTL, "more than 0"),
		need(c.TLS || c.TLSCAFile == "", "tls-ca-file", c.TLSCAFile, "--tls with it"),
		c.validateTraffic(),
		c.validatePlatforms(),
		c.validateFrames(),
		c.Trouble.Validate(),
	)
}

func (c *Config) validateListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q: %w; want host:port", c.Listen, err)
	}
	address := net.ParseIP(host)
	loopback := host == "localhost" || address != nil && address.IsLoopback()
	if !loopback && !c.ListenAnywhere {
		return fmt.Errorf("--listen %q is not loopback; the simulator lets any client in, so say --listen-anywhere if that is meant", c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.Advertise); c.Advertise != "" && err != nil {
		return fmt.Errorf("--advertise %q: %w; want host:port", c.Advertise, err)
	}
	return nil
}

func (c *Config) validateTraffic() error {
	return errors.Join(
		need(c.TenantCount >= 0, "tenant-count", c.TenantCount, "0 (use --tenants) or more"),
		need(c.TenantCount > 0 || named(c.Tenants), "tenants", c.Tenants, "names, none empty"),
		need(named(c.Regions), "regions", c.Regions, "names, none empty"),
		need(named(c.ChannelTypes), "channel-types", c.ChannelTypes, "names, none empty"),
		need(c.Rate >= 0 && c.Rate <= 1e7, "rate", c.Rate, "0 (full speed) to 1e7 events per second"),
		need(c.series() <= 1_000_000, "tenants, --regions, --channel-types", c.series(), "1000000 series at most"),
		need(c.Sessions > 0 && c.Sessions <= 20_000_000, "sessions", c.Sessions, "1 to 20000000"),
		need(c.SessionMessages >= 0, "session-messages", c.SessionMessages, "0 or more"),
		percent("drop-rate", c.DropRate),
		need(c.Events >= 0, "events", c.Events, "0 (no bound) or more"),
		need(c.Duration >= 0, "duration", c.Duration, "0 (no bound) or more"),
	)
}

func (c *Config) validatePlatforms() error {
	return errors.Join(
		need(c.ChannelHeartbeat >= 0, "channel-heartbeat", c.ChannelHeartbeat, "0 (none) or more"),
		need(c.BlankHeartbeat >= 0, "blank-heartbeat", c.BlankHeartbeat, "0 (none) or more"),
		need(c.Queues >= 1 && c.Queues <= 10_000, "queues", c.Queues, "1 to 10000"),
		need(c.Agents >= 1 && c.Agents <= 10_000, "agents", c.Agents, "1 to 10000"),
		need(c.SnapshotMessages >= 1 && c.SnapshotMessages <= 1000, "snapshot-messages", c.SnapshotMessages, "1 to 1000"),
	)
}

func (c *Config) validateFrames() error {
	return errors.Join(
		oneOf("frame", c.Frame, FrameObject, FrameArray, FrameLines, FrameMixed),
		need(c.FrameEvents >= 1 && c.FrameEvents <= 10_000, "frame-events", c.FrameEvents, "1 to 10000"),
		need(c.Frame != FrameObject || c.FrameEvents == 1, "frame-events", c.FrameEvents, "1 with --frame object, or --frame array, lines or mixed"),
		oneOf("timestamp", c.Timestamp, TimestampSeconds, TimestampMilliseconds, TimestampMicroseconds, TimestampNanoseconds, TimestampRFC3339),
		oneOf("delivery", c.Delivery, DeliverTurn, DeliverClient, DeliverBroadcast),
		need(!c.Broadcast || c.Delivery != DeliverClient, "broadcast", c.Broadcast, "not --delivery client with it"),
		need(!c.Lossy || !c.fullSpeed(), "lossy", c.Lossy, "a --rate: full speed without a listener would never end"),
		need(c.WriteTimeout > 0, "write-timeout", c.WriteTimeout, "more than 0"),
	)
}

// need is an error that names a flag and its value unless it is as it must be.
func need(ok bool, flag string, value any, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("--%s %v: want %s", flag, value, want)
}

func oneOf[T ~string](flag string, value T, allowed ...T) error {
	return need(slices.Contains(allowed, value), flag, value, "one of "+strings.Trim(fmt.Sprint(allowed), "[]"))
}

func percent(flag string, value float64) error {
	return need(value >= 0 && value <= 100, flag, value, "0 to 100 percent")
}

func share(flag string, value float64) error {
	return need(value >= 0 && value <= 1, flag, value, "a share from 0 to 1")
}

func named(names []string) bool {
	return len(names) > 0 && !slices.Contains(names, "")
}
