// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/internal/flags"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// Validate reports all invalid settings, each with its flag.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateListen(),
		flags.Need(c.TokenTTL > 0, "token-ttl", c.TokenTTL, "more than 0"),
		flags.Need(c.TLS || c.TLSCAFile == "", "tls-ca-file", c.TLSCAFile, "--tls with it"),
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
		return fmt.Errorf("--listen %q is not loopback; the simulator accepts any client, so add --listen-anywhere if that is intended", c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.Advertise); c.Advertise != "" && err != nil {
		return fmt.Errorf("--advertise %q: %w; want host:port", c.Advertise, err)
	}
	return nil
}

func (c *Config) validateTraffic() error {
	return errors.Join(
		flags.Need(c.TenantCount >= 0, "tenant-count", c.TenantCount, "0 (use --tenants) or more"),
		flags.Need(c.TenantCount > 0 || flags.Named(c.Tenants), "tenants", c.Tenants, "names, none empty"),
		flags.Need(flags.Named(c.Regions), "regions", c.Regions, "names, none empty"),
		flags.Need(flags.Named(c.ChannelTypes), "channel-types", c.ChannelTypes, "names, none empty"),
		flags.Need(c.Rate >= 0 && c.Rate <= 1e7, "rate", c.Rate, "0 (full speed) to 1e7 events per second"),
		flags.Need(c.series() <= 1_000_000, "tenants, --regions, --channel-types", c.series(), "1000000 series at most"),
		flags.Need(c.Sessions > 0 && c.Sessions <= 20_000_000, "sessions", c.Sessions, "1 to 20000000"),
		flags.Need(c.SessionMessages >= 0, "session-messages", c.SessionMessages, "0 or more"),
		flags.Percent("drop-rate", c.DropRate),
		flags.Percent("reconnect-rate", c.ReconnectRate),
		flags.Need(c.ReconnectWithin > 0, "reconnect-within", c.ReconnectWithin, "more than 0"),
		flags.Need(c.Events >= 0, "events", c.Events, "0 (no bound) or more"),
		flags.Need(c.Duration >= 0, "duration", c.Duration, "0 (no bound) or more"),
	)
}

func (c *Config) validatePlatforms() error {
	return errors.Join(
		flags.Need(c.ChannelHeartbeat >= 0, "channel-heartbeat", c.ChannelHeartbeat, "0 (none) or more"),
		flags.Need(c.BlankHeartbeat >= 0, "blank-heartbeat", c.BlankHeartbeat, "0 (none) or more"),
		flags.Need(c.Queues >= 1 && c.Queues <= 10_000, "queues", c.Queues, "1 to 10000"),
		flags.Need(c.Agents >= 1 && c.Agents <= 10_000, "agents", c.Agents, "1 to 10000"),
		flags.Need(c.SnapshotMessages >= 1 && c.SnapshotMessages <= 1000, "snapshot-messages", c.SnapshotMessages, "1 to 1000"),
	)
}

func (c *Config) validateFrames() error {
	return errors.Join(
		flags.OneOf("frame", c.Frame, traffic.FrameObject, traffic.FrameArray, traffic.FrameLines, traffic.FrameMixed),
		flags.Need(c.FrameEvents >= 1 && c.FrameEvents <= 10_000, "frame-events", c.FrameEvents, "1 to 10000"),
		flags.Need(c.Frame != traffic.FrameObject || c.FrameEvents == 1, "frame-events", c.FrameEvents, "1 with --frame object, or --frame array, lines or mixed"),
		flags.OneOf("timestamp", c.Timestamp, TimestampSeconds, TimestampMilliseconds, TimestampMicroseconds, TimestampNanoseconds, TimestampRFC3339),
		flags.OneOf("delivery", c.Delivery, DeliverTurn, DeliverClient, DeliverBroadcast),
		flags.Need(!c.Broadcast || c.Delivery != DeliverClient, "broadcast", c.Broadcast, "not --delivery client with it"),
		flags.Need(!c.Lossy || !c.Unpaced(), "lossy", c.Lossy, "a --rate: full speed without a listener would never end"),
		flags.Need(c.WriteTimeout > 0, "write-timeout", c.WriteTimeout, "more than 0"),
	)
}
