-- All tags of some hours: the trend of every tag for the list of tags, and the rollup's own
-- replacing of an hour, which read a month before.
CREATE INDEX tag_hour_time_idx ON tag_hour (hour_at);
