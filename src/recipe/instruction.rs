//! The instructions of a Dockerfile for a step of a build. Pure.

/// One `RUN` of `step.sh`: its words, its files, and its caches between builds.
#[derive(Default)]
pub struct Step {
    /// The words of `step.sh`.
    pub words: Vec<&'static str>,
    /// The files beside `step.sh`.
    pub files: Vec<File>,
    /// The directories that BuildKit keeps between builds.
    pub caches: Vec<Cache>,
    /// Whether it sees the files of the base image, as `base` beside `step.sh`. Only BuildKit can do that.
    pub sees_base: bool,
}

/// A file that a step reads.
pub struct File {
    /// Its name beside `step.sh`.
    pub name: &'static str,
    /// Its name in the context. Steps with another file of the same name have another one.
    pub source: String,
    /// Its contents.
    pub contents: Vec<u8>,
}

impl File {
    /// A file that has the same name in the context.
    pub fn new(name: &'static str, contents: impl Into<Vec<u8>>) -> Self {
        Self { name, source: name.to_owned(), contents: contents.into() }
    }
}

/// A directory that BuildKit keeps between builds. It is not part of the image.
#[derive(Clone, Copy)]
pub enum Cache {
    /// The packages that apt downloaded.
    AptArchives,
    /// The package lists of apt.
    AptLists,
    /// The cache of pip.
    Pip,
    /// The program uv and its cache.
    Uv,
}

impl Cache {
    /// The options of the mount. The id contains the base image, so that releases do not share package lists, and glibc and
    /// musl do not share the wheels that pip built. A reference contains no comma.
    fn mount(self, base: &str) -> String {
        match self {
            Cache::AptArchives => format!("id=longshore-debs-{base},target=/var/cache/apt,sharing=locked"),
            Cache::AptLists => format!("id=longshore-lists-{base},target=/var/lib/apt/lists,sharing=locked"),
            Cache::Pip => format!("id=longshore-pip-{base},target=/dev/longshore/pip-cache"),
            // Builds share it at the same time: a lock would let them wait for each other, and uv.py needs none.
            Cache::Uv => format!("id=longshore-uv-{base},target=/dev/longshore/uv"),
        }
    }
}

impl Step {
    /// The instruction for BuildKit, which mounts files and caches. The caches are those of this base image.
    pub fn mounted(&self, base: &str) -> String {
        let mut run = "RUN".to_owned();
        for File { name, source, .. } in &self.files {
            run += &format!(" --mount=type=bind,source={source},target=/dev/longshore/{name} \\\n   ");
        }
        if self.sees_base {
            run += &format!(" --mount=type=bind,from={base},target=/dev/longshore/base \\\n   ");
        }
        for cache in &self.caches {
            run += &format!(" --mount=type=cache,{} \\\n   ", cache.mount(base));
        }
        run + &format!(" {}\n", self.program("/dev/longshore", "mounted"))
    }

    /// The instructions for the legacy builder, which copies the files.
    pub fn copied(&self) -> String {
        let names: Vec<&str> = self.files.iter().map(|file| file.source.as_str()).collect();
        format!("COPY {} /.longshore/\nRUN {}\n", names.join(" "), self.program("/.longshore", "copied"))
    }

    /// As a list: the shell form would run under whatever `SHELL` the base image has set.
    fn program(&self, directory: &str, how: &str) -> String {
        format!(r#"["sh", "{directory}/step.sh", "{how}", "{}"]"#, self.words.join(r#"", ""#))
    }
}
