//! What can go wrong, as a caller has to tell it apart.

/// A refusal that a person reads: a stable code, one Chinese sentence, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
    pub next_step: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { code, message: message.into(), next_step: next_step.into() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not this person's to see: the two look the same from outside.
    #[error("not found")]
    NotFound,
    /// The request was understood and cannot be done as it stands.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else changed it first (a lost lease, a newer draft, a state that moved on).
    #[error("conflict: {0}")]
    Conflict(Refusal),
    #[error("database: {0}")]
    Db(#[from] sqlx::Error),
    #[error("storage: {0}")]
    Storage(#[from] crate::storage::StorageError),
    /// A stored value that our own code would never have written.
    #[error("damaged record: {0}")]
    Damaged(String),
}

impl Error {
    pub fn conflict(code: &'static str, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::Conflict(Refusal::new(code, message, next_step))
    }
}

impl Error {
    /// A disk is full, of the store or of the database. Nothing of what was asked for has happened.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Storage(error) => matches!(error, crate::storage::StorageError::Full(_)),
            Self::Db(error) => crate::db::is_full(error),
            _ => false,
        }
    }

    /// Store or database cannot do their part at the moment, whoever asks: no fault of what was asked for.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_outage(),
            Self::Db(error) => crate::db::is_away(error),
            _ => false,
        }
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns "no row" into [`Error::NotFound`].
pub trait OrNotFound<T> {
    fn or_not_found(self) -> Result<T>;
}
impl<T> OrNotFound<T> for sqlx::Result<Option<T>> {
    fn or_not_found(self) -> Result<T> {
        self?.ok_or(Error::NotFound)
    }
}
